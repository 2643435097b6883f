//! The frontier as a picture: SVG, without a library, since it is dots and lines.

use std::fmt::Write;

use crate::policies::{Kind, Policy};
use crate::score::Score;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 380.0;
/// The left edge of each panel, the width of one, and the edges above and below.
const LEFT: [f64; 2] = [60.0, 490.0];
const PANEL: f64 = 345.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 325.0;

/// A scale from nothing to the value of its last mark.
#[derive(Clone, Copy)]
struct Scale {
    step: u32,
    marks: u32,
}

impl Scale {
    /// One that reaches this far, in six steps or a few less.
    fn to(most: f64) -> Self {
        let steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
        let step = steps.into_iter().find(|step| f64::from(*step) * 6.0 >= most).unwrap_or(10_000);
        let marks = (1..=6).find(|marks| f64::from(step * marks) >= most).unwrap_or(6);
        Self { step, marks }
    }

    fn marks(self) -> impl Iterator<Item = u32> {
        (0..=self.marks).map(move |mark| mark * self.step)
    }

    /// Where a value is, as a share of the whole.
    fn place(self, value: f64) -> f64 {
        value / f64::from(self.step * self.marks)
    }
}

const fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Plain => "#57606a",
        Kind::Schedule => "#bf8700",
        Kind::Adaptive => "#0969da",
    }
}

/// The picture.
pub(crate) fn plot(scores: &[(Policy, Score)]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    panel(&mut svg, LEFT[0], "p95 wait in seconds", scores, |score| score.p95);
    panel(&mut svg, LEFT[1], "mean wait in seconds", scores, |score| score.mean);
    for (kind, x) in Kind::ALL.into_iter().zip([60.0, 230.0, 410.0]) {
        let name = match kind {
            Kind::Plain => "always the same",
            Kind::Schedule => "in working hours",
            Kind::Adaptive => "adaptive",
        };
        // A String takes everything, here and below.
        let _ = writeln!(
            svg,
            "<circle cx=\"{x}\" cy=\"18\" r=\"4\" fill=\"{}\"/><text x=\"{}\" y=\"22\">{name}</text>",
            colour(kind),
            x + 10.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, left: f64, title: &str, scores: &[(Policy, Score)], wait: fn(&Score) -> f64) {
    let most = |of: &dyn Fn(&Score) -> f64| scores.iter().map(|(_, score)| of(score)).fold(1.0, f64::max);
    let (costs, waits) = (Scale::to(most(&|score| score.idle)), Scale::to(most(&|score| score.p95)));
    let x = |cost: f64| left + PANEL * costs.place(cost);
    let y = |wait: f64| BOTTOM - (BOTTOM - TOP) * waits.place(wait);
    for wait in waits.marks() {
        let at = y(wait.into());
        let _ = writeln!(
            svg,
            "<line x1=\"{left}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#d0d7de\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{wait}</text>",
            left + PANEL,
            left - 6.0,
            at + 4.0
        );
    }
    for cost in costs.marks() {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">${cost}</text>",
            x(cost.into()),
            BOTTOM + 18.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{:.1}\" font-weight=\"600\">{title}</text>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">idle cost a month</text>",
        TOP - 8.0,
        left + PANEL / 2.0,
        BOTTOM + 38.0
    );
    for kind in Kind::ALL {
        let mut points: Vec<(f64, f64, &str)> = Vec::new();
        for (policy, score) in scores.iter().filter(|(policy, _)| policy.kind == kind) {
            points.push((x(score.idle), y(wait(score)), &policy.label));
        }
        let line: Vec<String> = points.iter().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
        let colour = colour(kind);
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-opacity=\"0.5\"/>",
            line.join(" ")
        );
        for (x, y, label) in points {
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"><title>{label}</title></circle>"
            );
        }
    }
}
