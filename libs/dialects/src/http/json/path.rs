//! The way from a request to one of its values. It lies on the stack; a dialect copies it into a fault.

use std::fmt::{self, Display, Formatter};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'p> {
    Name(&'p str),
    /// Counted from 0.
    Index(usize),
}

/// A step below another path, or the first one. Displayed with dots: `rules.0.pattern`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'p> {
    above: Option<&'p Path<'p>>,
    step: Step<'p>,
}

impl<'p> Path<'p> {
    /// Begins at the whole request.
    pub(crate) const fn root(name: &'p str) -> Self {
        Self { above: None, step: Step::Name(name) }
    }

    pub(crate) const fn below(above: Option<&'p Path<'p>>, step: Step<'p>) -> Self {
        Self { above, step }
    }

    /// From the first step to the last.
    pub(crate) fn steps(&self) -> Vec<Step<'p>> {
        let mut steps = self.above.map_or_else(Vec::new, Path::steps);
        steps.push(self.step);
        steps
    }
}

impl Display for Path<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            write!(formatter, "{above}.")?;
        }
        match self.step {
            Step::Name(name) => formatter.write_str(name),
            Step::Index(index) => write!(formatter, "{index}"),
        }
    }
}
