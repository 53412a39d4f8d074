//! The ways from one page of a list to others.

use super::links::encoded;

/// How many rows a page of a list has.
pub(super) const ROWS: i64 = 25;

/// Links below a list.
pub(super) struct Ways {
    pub(super) first: Option<String>,
    pub(super) further: Option<String>,
}

impl Ways {
    /// Of a list at `path` with these filters, of which a page `after` something was shown.
    pub(super) fn new(path: &str, filters: &[(&str, &str)], after: Option<&str>, next: Option<&str>) -> Self {
        let first = after.map(|_| address(path, filters, None));
        let further = next.map(|next| address(path, filters, Some(next)));
        Self { first, further }
    }

    /// Whether the page is the whole list.
    pub(super) const fn is_alone(&self) -> bool {
        self.first.is_none() && self.further.is_none()
    }
}

fn address(path: &str, filters: &[(&str, &str)], after: Option<&str>) -> String {
    let set = filters.iter().filter(|(_, value)| !value.is_empty());
    let pairs = set.copied().chain(after.map(|after| ("after", after)));
    let query: Vec<_> = pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_go_along_from_page_to_page() {
        let ways = Ways::new("/console/users", &[("text", "a&b"), ("status", "")], Some("x"), Some("y="));
        assert_eq!(ways.first.as_deref(), Some("/console/users?text=a%26b"));
        assert_eq!(ways.further.as_deref(), Some("/console/users?text=a%26b&after=y%3D"));
        let (alone, further) =
            (Ways::new("/console/users", &[], None, None), Ways::new("/console/users", &[], None, Some("x")));
        assert!(alone.is_alone() && !ways.is_alone() && !further.is_alone());
    }
}
