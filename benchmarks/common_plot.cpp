// Draws curves: a page of SVG by hand, a decade of each axis a line of the grid.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "plot.hpp"

namespace benchmarks {
namespace {

constexpr double width = 720;
constexpr double height = 440;
constexpr double left = 70;
constexpr double right = 130;  // the names of the curves
constexpr double top = 40;
constexpr double bottom = 55;
constexpr const char* colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"};

/// The decades that an axis shows.
struct Decades {
  int first = 0;
  int last = 1;

  [[nodiscard]] double share(double value) const { return (std::log10(value) - first) / (last - first); }
};

bool drawable(const Point& point) { return point.x > 0 && point.y > 0; }

Decades decades_of(const std::vector<Curve>& curves, double Point::*coordinate) {
  double least = 0;
  double most = 0;
  for (const Curve& curve : curves)
    for (const Point& point : curve.points) {
      if (!drawable(point)) continue;
      const double value = point.*coordinate;
      least = least > 0 ? (std::min)(least, value) : value;
      most = (std::max)(most, value);
    }
  if (!(least > 0)) return {};
  const int first = static_cast<int>(std::floor(std::log10(least)));
  return {first, (std::max)(first + 1, static_cast<int>(std::ceil(std::log10(most))))};
}

std::string place(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) c == '<' ? out += "&lt;" : c == '&' ? out += "&amp;" : out += c;
  return out;
}

class Page {
 public:
  Page(Decades x, Decades y) : x_(x), y_(y) {
    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << height
         << "\" font-family=\"sans-serif\" font-size=\"13\">\n"
         << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  }

  void text(double x, double y, const char* anchor, const std::string& words, const char* more = "") {
    out_ << "<text x=\"" << place(x) << "\" y=\"" << place(y) << "\" text-anchor=\"" << anchor << "\"" << more
         << '>' << words << "</text>\n";
  }
  void line(double x1, double y1, double x2, double y2, const char* colour, int thickness) {
    out_ << "<line x1=\"" << place(x1) << "\" y1=\"" << place(y1) << "\" x2=\"" << place(x2) << "\" y2=\""
         << place(y2) << "\" stroke=\"" << colour << "\" stroke-width=\"" << thickness << "\"/>\n";
  }

  void grid() {
    for (int power = x_.first; power <= x_.last; ++power) {
      const double x = across(std::pow(10.0, power));
      line(x, top, x, height - bottom, "#ddd", 1);
      text(x, height - bottom + 18, "middle", decade(power));
    }
    for (int power = y_.first; power <= y_.last; ++power) {
      const double y = down(std::pow(10.0, power));
      line(left, y, width - right, y, "#ddd", 1);
      text(left - 8, y + 4, "end", decade(power));
    }
    line(left, height - bottom, width - right, height - bottom, "black", 1);
    line(left, top, left, height - bottom, "black", 1);
  }
  void curve(const Curve& curve, const char* colour, double legend) {
    std::string points;
    for (const Point& point : curve.points)
      if (drawable(point)) {
        points += place(across(point.x)) + ',' + place(down(point.y)) + ' ';
        out_ << "<circle cx=\"" << place(across(point.x)) << "\" cy=\"" << place(down(point.y))
             << "\" r=\"3\" fill=\"" << colour << "\"/>\n";
      }
    out_ << "<polyline points=\"" << points << "\" fill=\"none\" stroke=\"" << colour
         << "\" stroke-width=\"2\"/>\n";
    line(width - right + 15, legend, width - right + 40, legend, colour, 2);
    text(width - right + 46, legend + 4, "start", escaped(curve.name));
  }
  [[nodiscard]] std::string finish() {
    out_ << "</svg>\n";
    return out_.str();
  }

 private:
  static std::string decade(int power) {
    return "10<tspan dy=\"-5\" font-size=\"9\">" + std::to_string(power) + "</tspan>";
  }
  [[nodiscard]] double across(double value) const { return left + x_.share(value) * (width - left - right); }
  [[nodiscard]] double down(double value) const {
    return height - bottom - y_.share(value) * (height - top - bottom);
  }

  Decades x_;
  Decades y_;
  std::ostringstream out_;
};

}  // namespace

bool draw_curves(const std::string& file, const Axes& axes, const std::vector<Curve>& curves) {
  Page page(decades_of(curves, &Point::x), decades_of(curves, &Point::y));
  page.grid();
  page.text((left + width - right) / 2, top - 16, "middle", escaped(axes.title), " font-weight=\"bold\"");
  page.text((left + width - right) / 2, height - 12, "middle", escaped(axes.x));
  const std::string turn = " transform=\"rotate(-90 18 " + place((top + height - bottom) / 2) + ")\"";
  page.text(18, (top + height - bottom) / 2, "middle", escaped(axes.y), turn.c_str());
  double legend = top + 10;
  std::size_t i = 0;
  for (const Curve& curve : curves) {
    page.curve(curve, colours[i++ % std::size(colours)], legend);
    legend += 20;
  }
  std::ofstream out(file, std::ios::binary);
  out << page.finish();
  out.close();
  return out.good();
}

}  // namespace benchmarks
