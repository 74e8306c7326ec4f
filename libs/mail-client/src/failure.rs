//! A failure on its way from where it was noticed to the report. The report turns it into a
//! [`Finding`](shared_models::domain::Finding) with the facts of the leg.

use std::time::Duration;

use shared_models::domain::FailureCode;
use shared_models::domain::diagnosis::{Class, Fault, Stage};

use crate::connection::line_reader::WireError;

/// One failure. Class, fault and remedy are those of the code unless set otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: FailureCode,
    pub(crate) stage: Stage,
    pub(crate) class: Class,
    pub(crate) fault: Fault,
    pub(crate) remedy: &'static str,
    /// Values for the placeholders of the remedy.
    pub(crate) values: Vec<(&'static str, String)>,
    /// The server's reply, which may still hold secrets.
    pub(crate) reply: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    /// The server had the whole message, and it is unknown whether it accepted it.
    pub(crate) handed_over: bool,
}

impl Failure {
    /// A failure with the defaults of its code.
    pub(crate) fn new(code: FailureCode, stage: Stage) -> Self {
        Self {
            code,
            stage,
            class: code.class(),
            fault: code.fault(),
            remedy: code.remedy_template(),
            values: Vec::new(),
            reply: None,
            retry_after: None,
            handed_over: false,
        }
    }

    /// Replaces the remedy.
    pub(crate) fn says(mut self, remedy: &'static str) -> Self {
        self.remedy = remedy;
        self
    }

    /// Adds the value of a placeholder of the remedy.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    /// Adds the server's reply.
    pub(crate) fn quoting(mut self, reply: impl Into<String>) -> Self {
        self.reply = Some(reply.into());
        self
    }

    /// A read or write that failed at this stage.
    pub(crate) fn wire(stage: Stage, error: WireError) -> Self {
        match (error, stage) {
            (WireError::Timeout, Stage::Greeting) => Self::new(FailureCode::ProtoGreetingTimeout, stage),
            (WireError::Timeout, _) => Self { fault: Fault::Server, ..Self::new(FailureCode::SysDeadline, stage) }
                .says("The server took too long to answer; we will try again."),
            (WireError::Closed, _) => Self::new(FailureCode::NetReset, stage),
            (WireError::Flood, _) => Self::new(FailureCode::ProtoFlood, stage),
        }
    }
}
