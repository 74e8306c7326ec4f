//! Fixed SQL with text parameters that is prepared once for each connection. Diesel parses and plans
//! `sql_query` anew each time, which costs as much as running it.

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Text;

/// A statement. Each one has a type of its own, which is the key of Diesel's cache.
pub(crate) trait Statement: 'static {
    /// The whole statement; parameters are bound in this order.
    const PIECES: &'static [Piece];
    /// The SQL types of the columns that it returns.
    type Row;
}

/// A part of a statement's text.
pub(crate) enum Piece {
    Sql(&'static str),
    /// The next of the text parameters.
    Parameter,
}

/// A statement and the values of its parameters.
pub(crate) struct Prepared<S> {
    parameters: Vec<String>,
    statement: PhantomData<S>,
}

impl<S: Statement> Prepared<S> {
    pub(crate) fn new(parameters: Vec<String>) -> Self {
        Self { parameters, statement: PhantomData }
    }
}

impl<S: Statement> QueryId for Prepared<S> {
    type QueryId = Prepared<S>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<S: Statement> Query for Prepared<S> {
    type SqlType = S::Row;
}

impl<S: Statement> RunQueryDsl<PgConnection> for Prepared<S> {}

impl<S: Statement> QueryFragment<Pg> for Prepared<S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut parameters = self.parameters.iter();
        for piece in S::PIECES {
            match piece {
                Piece::Sql(text) => out.push_sql(text),
                Piece::Parameter => out.push_bind_param::<Text, _>(parameters.next().ok_or_else(too_few)?)?,
            }
        }
        Ok(())
    }
}

fn too_few() -> diesel::result::Error {
    diesel::result::Error::QueryBuilderError("a statement has fewer parameters than places for them".into())
}
