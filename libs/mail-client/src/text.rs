//! Text that goes into one line of a header or a report.

/// The words of `text`, separated by single spaces. White space, line ends and control characters count as
/// separators, so the result can neither end a header nor begin another one.
pub(crate) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
