//! A stack as an SVG picture: a column for each level, a box for each service, an arrow from each to what waits for it.

use super::{facts, label, levels};
use crate::stack::Stack;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Widths and heights, in pixels.
const BOX: usize = 220;
const COLUMN: usize = 320;
const LINE: usize = 18;
const GAP: usize = 28;
const MARGIN: usize = 24;
/// As many characters as fit into a box.
const FIT: usize = 32;

/// Where a box stands.
struct Place {
    x: usize,
    y: usize,
    height: usize,
}

/// The picture, a whole document.
#[must_use]
pub fn svg(stack: &Stack) -> String {
    let levels = levels(stack);
    let mut places: BTreeMap<&str, Place> = BTreeMap::new();
    let (mut width, mut height) = (0, 0);
    for (column, level) in levels.iter().enumerate() {
        let (x, mut y) = (MARGIN + column * COLUMN, MARGIN + 2 * LINE);
        for key in level {
            let tall = LINE * (facts(stack, key).len() + 1) + LINE;
            places.insert(key, Place { x, y, height: tall });
            y += tall + GAP;
        }
        width = width.max(x + BOX + MARGIN);
        height = height.max(y);
    }
    let (width, height) = (width.max(BOX), height.max(2 * MARGIN + 2 * LINE));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{0}</title>\n<defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" \
         markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#667\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{MARGIN}\" y=\"{1}\" font-size=\"16\" font-weight=\"bold\">{0}</text>\n",
        escape(stack.name.as_str()),
        MARGIN + LINE / 2,
    );
    arrows(stack, &places, &mut text);
    for (key, place) in &places {
        draw(stack, key, place, &mut text);
    }
    text.push_str("</svg>\n");
    text
}

fn arrows(stack: &Stack, places: &BTreeMap<&str, Place>, text: &mut String) {
    for (key, service) in &stack.services {
        for (other, dependency) in &service.depends_on {
            let (Some(from), Some(to)) = (places.get(other.as_str()), places.get(key.as_str()))
            else {
                continue;
            };
            let (x1, y1) = (from.x + BOX, from.y + from.height / 2);
            let (x2, y2) = (to.x, to.y + to.height / 2);
            let middle = usize::midpoint(x1, x2);
            let dash = if dependency.required { "" } else { " stroke-dasharray=\"4 4\"" };
            let _ = writeln!(
                text,
                "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#667\"{dash} marker-end=\"url(#end)\"/>"
            );
            let word = label(dependency.condition);
            if !word.is_empty() {
                let y = usize::midpoint(y1, y2).saturating_sub(4);
                let _ = writeln!(
                    text,
                    "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#667\" font-size=\"10\">{word}</text>"
                );
            }
        }
    }
}

fn draw(stack: &Stack, key: &str, place: &Place, text: &mut String) {
    let Place { x, y, height } = place;
    let _ = writeln!(
        text,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{BOX}\" height=\"{height}\" rx=\"6\" fill=\"#f4f6fb\" stroke=\"#335\"/>\n\
         <text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text>",
        x + 10,
        y + LINE,
        escape(&short(key)),
    );
    for (line, fact) in facts(stack, key).iter().enumerate() {
        let y = y + LINE * (line + 2);
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{y}\" fill=\"#445\">{}</text>",
            x + 10,
            escape(&short(fact))
        );
    }
}

fn short(text: &str) -> String {
    if text.chars().count() <= FIT {
        text.to_owned()
    } else {
        text.chars().take(FIT - 1).chain(['…']).collect()
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
