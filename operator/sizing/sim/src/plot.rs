//! A day as a picture: what arrives, how far behind it is, and the cores of each policy.

use std::fmt::Write;

use crate::expectation::Comparison;
use crate::measure::{Day, Point};
use crate::trace::DAY;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 130.0;
const LEFT: f64 = 70.0;
const GAP: f64 = 40.0;
const COLOURS: [&str; 5] = ["#c1272d", "#0072b2", "#56b4e9", "#009e73", "#777777"];
/// Every so many steps a point: more are not seen.
const EVERY: usize = 12;

/// The trace as SVG.
pub fn svg(comparison: &Comparison) -> String {
    let height = 3.0 * (HEIGHT + GAP) + 60.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"20\" font-size=\"15\">{}</text>\n",
        WIDTH + LEFT + 20.0,
        comparison.trace.name(),
    );
    let first: Vec<&Day> = comparison.days.iter().take(1).collect();
    let all: Vec<&Day> = comparison.days.iter().collect();
    panel(&mut svg, 0, "records/s", &first, |point| point.arrival);
    panel(&mut svg, 1, "lag, minutes", &all, |point| point.lag / 60.0);
    panel(&mut svg, 2, "cores", &all, |point| point.size.total() as f64 / 1000.0);
    for (number, day) in comparison.days.iter().enumerate() {
        let x = LEFT + number as f64 * 160.0;
        write(
            &mut svg,
            format!(
                "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{}\"/>",
                height - 22.0,
                COLOURS[number % 5]
            ),
        );
        write(&mut svg, format!("<text x=\"{}\" y=\"{}\">{}</text>", x + 17.0, height - 12.0, day.policy));
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, number: usize, title: &str, days: &[&Day], value: fn(&Point) -> f64) {
    let top = 45.0 + number as f64 * (HEIGHT + GAP);
    let most = days.iter().flat_map(|day| &day.points).map(value).fold(1e-9, f64::max);
    write(svg, format!("<text x=\"{LEFT}\" y=\"{}\">{title}</text>", top - 6.0));
    for (part, anchor) in [(0.0, HEIGHT), (1.0, 0.0)] {
        write(
            svg,
            format!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.1}</text>",
                LEFT - 6.0,
                top + anchor + 4.0,
                most * part
            ),
        );
        let y = top + anchor;
        write(svg, format!("<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#ccc\"/>", LEFT + WIDTH));
    }
    // Ours last, above the others.
    for (number, day) in days.iter().enumerate().rev() {
        let mut points = String::new();
        for point in day.points.iter().step_by(EVERY) {
            let x = LEFT + WIDTH * point.time as f64 / DAY as f64;
            let y = top + HEIGHT * (1.0 - value(point) / most);
            points.push_str(&format!("{x:.1},{y:.1} "));
        }
        write(
            svg,
            format!(
                "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.4\" points=\"{points}\"/>",
                COLOURS[number % 5]
            ),
        );
    }
}

fn write(svg: &mut String, line: String) {
    // Writing into a String can't fail.
    let _written = writeln!(svg, "{line}");
}
