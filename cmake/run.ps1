# Sets up a Windows machine, builds the library and the main job with MSVC, and runs the main job on
# real trees: this checkout, or the directories that are named.
param([switch] $DepsOnly, [string[]] $Directories)
. "$PSScriptRoot\deps.ps1"

Install-Dependencies
if ($DepsOnly) { exit 0 }
Set-Location $root
Invoke-Checked cmake @('--preset', 'msvc', '-DMULTIPROCESSING_BUILD_TESTS=OFF', '-DMULTIPROCESSING_BUILD_BENCHMARKS=OFF')
Invoke-Checked cmake @('--build', '--preset', 'msvc', '--target', 'example_scan')
if (-not $Directories) { $Directories = @($root) }
foreach ($tree in $Directories) {
  Write-Host "`n== scan $tree"
  Invoke-Checked 'build\msvc\examples\bin\scan.exe' @($tree)
}
