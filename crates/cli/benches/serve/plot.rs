//! The curves of a burst as SVG: tasks accepted over the time since their jobs were assigned.

use std::fmt::Write;

use crate::burst::{Burst, number};

/// Width and height of the picture, and of its margins.
const SIZE: (f64, f64) = (720.0, 360.0);
const MARGIN: (f64, f64) = (70.0, 45.0);

/// Points of a curve at most.
const POINTS: usize = 200;

/// The picture of a burst.
pub(crate) fn of(burst: &Burst) -> String {
    let ideal = Burst::ideal(burst.jobs);
    let last = |waits: &[f64]| waits.last().copied().unwrap_or_default();
    let seconds = round_up(last(&ideal).max(last(&burst.waits)).max(1.0));
    let frame = Frame { seconds, tasks: number(burst.jobs) };
    let mut svg = String::new();
    let (width, height) = SIZE;
    // A String takes everything.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"
    );
    frame.draw(&mut svg);
    curve(&mut svg, &frame, &ideal, "#9aa0a6", "6 4", 4.0);
    curve(&mut svg, &frame, &burst.waits, "#0b57d0", "none", 2.0);
    for (row, (colour, text)) in
        [("#9aa0a6", "ideal: 100 at once, then 20 a second"), ("#0b57d0", "measured")].into_iter().enumerate()
    {
        let (x, y) = (width - 300.0, height - MARGIN.1 - 40.0 + 18.0 * number(row));
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"24\" height=\"3\" fill=\"{colour}\"/><text x=\"{}\" \
             y=\"{y}\">{text}</text>",
            y - 5.0,
            x + 32.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a value is in the picture.
struct Frame {
    seconds: f64,
    tasks: f64,
}

impl Frame {
    fn x(&self, seconds: f64) -> f64 {
        MARGIN.0 + seconds / self.seconds * (SIZE.0 - 1.5 * MARGIN.0)
    }

    fn y(&self, tasks: f64) -> f64 {
        SIZE.1 - MARGIN.1 - tasks / self.tasks * (SIZE.1 - 1.5 * MARGIN.1)
    }

    /// Axes with five marks each.
    fn draw(&self, svg: &mut String) {
        let (left, right, bottom) = (self.x(0.0), self.x(self.seconds), self.y(0.0));
        for fifth in 0..=5 {
            let part = number(fifth) / 5.0;
            let (seconds, tasks) = (self.seconds * part, self.tasks * part);
            let (x, y) = (self.x(seconds), self.y(tasks));
            let _ = writeln!(
                svg,
                "<line x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{right:.1}\" y2=\"{y:.1}\" stroke=\"#e0e0e0\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{tasks:.0}</text>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{seconds}</text>",
                left - 8.0,
                y + 4.0,
                bottom + 18.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{left:.1}\" y=\"14\">tasks accepted by RunTask</text>\
             <text x=\"{right:.1}\" y=\"{:.1}\" text-anchor=\"end\">seconds since the jobs were assigned</text>",
            bottom + 38.0
        );
    }
}

/// A limit of an axis that five marks divide well.
fn round_up(seconds: f64) -> f64 {
    let step = if seconds <= 5.0 {
        1.0
    } else if seconds <= 50.0 {
        5.0
    } else {
        50.0
    };
    (seconds / step).ceil() * step
}

/// A curve through the waits, the shortest first.
fn curve(svg: &mut String, frame: &Frame, waits: &[f64], colour: &str, dashes: &str, width: f64) {
    let step = waits.len().div_ceil(POINTS).max(1);
    let of_interest = |n: &usize| n.is_multiple_of(step) || n + 1 == waits.len();
    let mut points = String::new();
    for n in (0..waits.len()).filter(of_interest) {
        let _ = write!(points, "{:.1},{:.1} ", frame.x(waits[n]), frame.y(number(n + 1)));
    }
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" stroke-dasharray=\"{dashes}\" \
         points=\"{}\"/>",
        points.trim_end()
    );
}
