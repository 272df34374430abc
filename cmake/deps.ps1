# What run.ps1 and test.ps1 have in common: MSVC's environment, and vcpkg, which builds the dependencies
# that vcpkg.json names while CMake configures.
$ErrorActionPreference = 'Stop'
$root = Split-Path -Parent $PSScriptRoot

function Invoke-Checked([string] $program, [string[]] $arguments) {
  & $program @arguments
  if ($LASTEXITCODE -ne 0) { throw "$program $arguments`: status $LASTEXITCODE" }
}

function Enter-Msvc {
  if (Get-Command cl -ErrorAction SilentlyContinue) { return }
  $vswhere = Join-Path ${env:ProgramFiles(x86)} 'Microsoft Visual Studio\Installer\vswhere.exe'
  if (-not (Test-Path $vswhere)) { throw 'Visual Studio 2022 with the C++ workload is needed' }
  $studio = & $vswhere -latest -products * -requires Microsoft.VisualStudio.Component.VC.Tools.x86.x64 -property installationPath
  if (-not $studio) { throw 'Visual Studio has no C++ workload' }
  Import-Module (Join-Path $studio 'Common7\Tools\Microsoft.VisualStudio.DevShell.dll')
  Enter-VsDevShell -VsInstallPath $studio -SkipAutomaticLocation -DevCmdArguments '-arch=x64 -host_arch=x64'
}

function Install-Vcpkg {
  if ($env:VCPKG_ROOT -and (Test-Path "$env:VCPKG_ROOT\scripts\buildsystems\vcpkg.cmake")) { return }
  $env:VCPKG_ROOT = Join-Path $env:LOCALAPPDATA 'multiprocessing\vcpkg'
  if (-not (Test-Path "$env:VCPKG_ROOT\vcpkg.exe")) {
    Invoke-Checked git @('clone', '--depth', '1', 'https://github.com/microsoft/vcpkg', $env:VCPKG_ROOT)
    Invoke-Checked "$env:VCPKG_ROOT\bootstrap-vcpkg.bat" @('-disableMetrics')
  }
}

function Install-Dependencies {
  Enter-Msvc
  Install-Vcpkg
}
