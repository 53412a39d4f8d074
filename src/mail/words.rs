//! The few words of mails that stand in no template: lengths of time and moments, in each language.

use std::time::Duration;

use crate::clock::Timestamp;

/// What mails are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
}

impl Language {
    #[cfg(test)]
    pub(super) const ALL: [Self; 2] = [Self::English, Self::German];

    /// `10 minutes`, `1 Stunde`: in hours where these are whole, else in minutes, rounded up.
    pub(super) fn span(self, span: Duration) -> String {
        let minutes = span.as_secs().div_ceil(60);
        let (number, is_hours) =
            if minutes >= 60 && minutes.is_multiple_of(60) { (minutes / 60, true) } else { (minutes, false) };
        let unit = match (self, is_hours, number == 1) {
            (Self::English, true, true) => "hour",
            (Self::English, true, false) => "hours",
            (Self::English, false, true) => "minute",
            (Self::English, false, false) => "minutes",
            (Self::German, true, true) => "Stunde",
            (Self::German, true, false) => "Stunden",
            (Self::German, false, true) => "Minute",
            (Self::German, false, false) => "Minuten",
        };
        format!("{number} {unit}")
    }

    /// `2026-11-22 12:00 UTC`, `22.11.2026 um 12:00 Uhr (UTC)`.
    pub(super) fn moment(self, moment: Timestamp) -> String {
        let text = moment.rfc3339();
        let (date, time) = text.split_once('T').unwrap_or((&text, ""));
        let time = time.get(..5).unwrap_or_default();
        match self {
            Self::English => format!("{date} {time} UTC"),
            Self::German => {
                let parts: Vec<_> = date.split('-').rev().collect();
                format!("{} um {time} Uhr (UTC)", parts.join("."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_hours_where_these_are_whole() {
        let told = |seconds| Language::ALL.map(|language| language.span(Duration::from_secs(seconds)));
        assert_eq!(told(600), ["10 minutes", "10 Minuten"]);
        assert_eq!(told(60), ["1 minute", "1 Minute"]);
        assert_eq!(told(61), ["2 minutes", "2 Minuten"]);
        assert_eq!(told(3_600), ["1 hour", "1 Stunde"]);
        assert_eq!(told(86_400), ["24 hours", "24 Stunden"]);
        assert_eq!(told(5_400), ["90 minutes", "90 Minuten"]);
    }

    #[test]
    fn a_moment_is_told_to_the_minute() {
        let noon = Timestamp::from_micros(1_795_348_800_123_456);
        assert_eq!(Language::English.moment(noon), "2026-11-22 12:00 UTC");
        assert_eq!(Language::German.moment(noon), "22.11.2026 um 12:00 Uhr (UTC)");
    }
}
