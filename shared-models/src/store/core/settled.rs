//! The end of background work: stored, or dropped because something else came first.

/// The fate of a result that a worker brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is stored.
    Stored,
    /// What it was about is gone, settled already or changed since; the result was dropped.
    Superseded,
}
