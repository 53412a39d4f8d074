//! Which language somebody reads: the one that they chose here, else the best of those that their browser asks for.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use super::cookie;
use super::texts::{DE, EN, Texts};

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
}

impl Language {
    pub(super) const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its tag (RFC 5646).
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// What its readers call it.
    pub(super) const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    pub(super) fn parse(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// All that the pages say in it.
    pub(super) const fn texts(self) -> &'static Texts {
        match self {
            Self::English => &EN,
            Self::German => &DE,
        }
    }

    /// Of whoever sent this head.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let chosen = cookie::read(headers, cookie::LANGUAGE).and_then(Self::parse);
        chosen.or_else(|| accepted(headers)).unwrap_or(Self::English)
    }
}

/// The first of those that the browser likes best (RFC 9110, 12.5.4); a region makes no difference.
fn accepted(headers: &HeaderMap) -> Option<Language> {
    let lines = headers.get_all(ACCEPT_LANGUAGE).into_iter().filter_map(|line| line.to_str().ok());
    let ranges = lines.flat_map(|line| line.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let primary = parts.next()?.split('-').next()?.to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
        Some((Language::parse(&primary)?, quality)).filter(|(_, quality)| *quality > 0.0)
    });
    let best = |best: Option<(Language, f32)>, next: (Language, f32)| match best {
        Some(best) if best.1 >= next.1 => Some(best),
        _ => Some(next),
    };
    ranges.fold(None, best).map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use axum::http::header::{COOKIE, HeaderValue};

    use super::*;

    fn asked(accept: &str, cookie: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(accept).unwrap());
        headers.insert(COOKIE, HeaderValue::from_str(cookie).unwrap());
        Language::of(&headers)
    }

    #[test]
    fn a_browser_gets_the_language_that_it_likes_best_of_those_there_are() {
        for (accept, expected) in [
            ("", Language::English),
            ("de", Language::German),
            ("de-CH, en;q=0.9", Language::German),
            ("en, de", Language::English),
            ("fr, de;q=0.5, en;q=0.4", Language::German),
            ("de;q=0, en;q=0.1", Language::English),
            ("DE;q=x", Language::English),
            ("fr", Language::English),
        ] {
            assert_eq!(asked(accept, ""), expected, "{accept}");
        }
    }

    #[test]
    fn what_was_chosen_here_comes_before_what_the_browser_says() {
        assert_eq!(asked("en", "__Host-doorward-language=de"), Language::German);
        assert_eq!(asked("de", "__Host-doorward-language=tlh"), Language::German);
    }
}
