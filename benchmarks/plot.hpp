// Curves of growth as a picture: SVG, both axes logarithmic.
#pragma once

#include <string>
#include <vector>

namespace benchmarks {

struct Point {
  double x = 1;
  double y = 1;
};
struct Curve {
  std::string name = {};
  std::vector<Point> points = {};
};
struct Axes {
  std::string title;
  std::string x;
  std::string y;
};

/// Points that are not above 0 are left out. False if the file cannot be written.
[[nodiscard]] bool draw_curves(const std::string& file, const Axes& axes, const std::vector<Curve>& curves);

}  // namespace benchmarks
