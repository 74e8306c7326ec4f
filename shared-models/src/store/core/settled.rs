//! The end of background work: stored, or dropped because something else came first.

/// The fate of a result that a worker brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The result counts and is stored.
    Stored,
    /// The subject is gone, settled already or changed since; the result was dropped.
    Superseded,
}
