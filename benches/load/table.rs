//! The table: one line a figure, and whether its target was met.

use std::io::Write as _;

use crate::rounds::Comparison;

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// Told, not judged.
    None,
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::None => true,
        }
    }
}

/// One line of the table.
pub(crate) struct Line {
    figure: String,
    ours: String,
    limit: String,
    ratio: String,
    target: String,
    outcome: &'static str,
}

impl Line {
    /// A ratio to a limit of the same run.
    pub(crate) fn ratio(figure: impl Into<String>, unit: &str, compared: Comparison, target: Target) -> Self {
        Self {
            figure: figure.into(),
            ours: with_unit(compared.ours, unit),
            limit: with_unit(compared.limit, unit),
            ratio: format!("{:.2}", compared.ratio),
            target: told(target, ""),
            outcome: judged(target, compared.ratio),
        }
    }

    /// A value with a target of its own.
    pub(crate) fn value(figure: impl Into<String>, unit: &str, value: f64, target: Target) -> Self {
        Self {
            figure: figure.into(),
            ours: with_unit(value, unit),
            limit: "–".to_owned(),
            ratio: "–".to_owned(),
            target: told(target, unit),
            outcome: judged(target, value),
        }
    }

    /// A figure that cannot be had, and why.
    pub(crate) fn not_measured(figure: impl Into<String>, why: &str) -> Self {
        let dash = || "–".to_owned();
        Self {
            figure: figure.into(),
            ours: format!("not measured: {why}"),
            limit: dash(),
            ratio: dash(),
            target: dash(),
            outcome: "–",
        }
    }

    /// A figure whose row failed.
    pub(crate) fn failed(figure: impl Into<String>, why: &str) -> Self {
        let why = why.lines().map(str::trim).collect::<Vec<_>>().join("; ").replace('|', "\\|");
        Self { outcome: MISSED, ours: format!("failed: {why}"), ..Self::not_measured(figure, "") }
    }

    /// The same figure, measured while the machine stood still.
    pub(crate) fn disturbed(mut self) -> Self {
        self.figure.push_str(" (the machine stood still meanwhile)");
        self
    }

    /// Whether its target was missed.
    pub(crate) fn is_missed(&self) -> bool {
        self.outcome == MISSED
    }
}

const MISSED: &str = "**missed**";

fn judged(target: Target, value: f64) -> &'static str {
    match target {
        Target::None => "–",
        target if target.is_met(value) => "met",
        _ => MISSED,
    }
}

fn told(target: Target, unit: &str) -> String {
    match target {
        Target::AtLeast(least) => format!("≥ {}", bound(least, unit)),
        Target::AtMost(most) => format!("≤ {}", bound(most, unit)),
        Target::None => "–".to_owned(),
    }
}

fn bound(value: f64, unit: &str) -> String {
    if unit.is_empty() { format!("{value}") } else { format!("{value} {unit}") }
}

fn with_unit(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        large if large >= 1_000.0 => 0,
        middle if middle >= 10.0 => 1,
        _ => 2,
    };
    let separator = if unit.starts_with('/') || unit.is_empty() { "" } else { " " };
    format!("{value:.digits$}{separator}{unit}")
}

/// Writes the heading of a table.
pub(crate) fn heading(title: &str) {
    write(&format!(
        "\n## {title}\n\n| figure | ours | limit | ratio | target | |\n| --- | --- | --- | --- | --- | --- |\n"
    ));
}

/// Writes one line of it.
pub(crate) fn line(line: &Line) {
    let Line { figure, ours, limit, ratio, target, outcome } = line;
    write(&format!("| {figure} | {ours} | {limit} | {ratio} | {target} | {outcome} |\n"));
}

/// Writes to standard output.
pub(crate) fn write(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Tells on standard error what is being done.
pub(crate) fn progress(text: &str) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}
