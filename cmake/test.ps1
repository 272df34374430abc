# Sets up a Windows machine, builds everything with MSVC and runs all tests.
param([switch] $DepsOnly, [string[]] $CTestOptions)
. "$PSScriptRoot\deps.ps1"

Install-Dependencies
if ($DepsOnly) { exit 0 }
Set-Location $root
Invoke-Checked cmake @('--preset', 'msvc', '-DMULTIPROCESSING_BUILD_TESTS=ON', '-DMULTIPROCESSING_BUILD_BENCHMARKS=ON')
Invoke-Checked cmake @('--build', '--preset', 'msvc')
Set-Location build\msvc
Invoke-Checked ctest (@('--output-on-failure', '--parallel', $env:NUMBER_OF_PROCESSORS) + $CTestOptions)
