//! Stacked bars as SVG, legible on light and dark pages.

use std::fmt::Write as _;

const COLORS: [&str; 7] = ["#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#b279a2", "#9d755d"];
const LEFT: f64 = 215.0;
const WIDTH: f64 = 520.0;
const ROW: f64 = 34.0;

/// One bar: its label, the length of each segment and what the whole is labelled with.
pub struct Bar {
    pub label: String,
    pub segments: Vec<f64>,
    pub total: String,
}

/// Bars over one common scale; segments that take less than a pixel are left out.
pub fn stacked(title: &str, names: &[&str], bars: &[Bar]) -> String {
    let longest = bars.iter().map(|bar| bar.segments.iter().sum::<f64>()).fold(f64::MIN_POSITIVE, f64::max);
    let height = 62.0 + ROW * bars.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"820\" height=\"{height}\" fill=\"#fff\"/>\n<text x=\"10\" y=\"20\" font-weight=\"bold\">{title}</text>\n"
    );
    for (index, (name, color)) in names.iter().zip(COLORS).enumerate() {
        let x = 10.0 + 110.0 * index as f64;
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"32\" width=\"12\" height=\"12\" fill=\"{color}\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"43\">{name}</text>", x + 17.0);
    }
    for (index, bar) in bars.iter().enumerate() {
        svg += &row(bar, 58.0 + ROW * index as f64, WIDTH / longest);
    }
    svg + "</svg>\n"
}

fn row(bar: &Bar, top: f64, scale: f64) -> String {
    let mut x = LEFT;
    let mut svg = format!("<text x=\"10\" y=\"{}\">{}</text>\n", top + 16.0, bar.label);
    for (length, color) in bar.segments.iter().zip(COLORS) {
        let width = length * scale;
        if width >= 1.0 {
            let _ =
                writeln!(svg, "<rect x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"22\" fill=\"{color}\"/>");
        }
        x += width;
    }
    let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{}\">{}</text>", x + 6.0, top + 16.0, bar.total);
    svg
}
