"""Conan recipe: builds the library from this checkout. `conan create .` makes the package."""

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout


class MultiprocessingConan(ConanFile):
    name = "multiprocessing"
    version = "0.1.0"
    license = "BSL-1.0"
    description = "Python's multiprocessing for C++20: functions that run in other processes"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    exports_sources = "CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "platform/*", "runtime/*"

    def config_options(self):
        if self.settings.os == "Windows":
            self.options.rm_safe("fPIC")

    def requirements(self):
        self.requires("boost/1.85.0", transitive_headers=True)
        self.requires("cereal/1.3.2", transitive_headers=True)
        self.requires("spdlog/1.14.1")
        self.requires("fmt/10.2.1")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for part in ["TESTS", "EXAMPLES", "BENCHMARKS"]:
            toolchain.cache_variables[f"MULTIPROCESSING_BUILD_{part}"] = False
        toolchain.cache_variables["BUILD_SHARED_LIBS"] = bool(self.options.shared)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()

    def package_info(self):
        self.cpp_info.set_property("cmake_find_mode", "none")  # the installed package file serves
        self.cpp_info.builddirs = ["lib/cmake/multiprocessing"]
