//! One value of a checked body, as a slice of it.

use std::borrow::Cow;
use std::fmt::{self, Formatter};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;

/// The text of one JSON value. Reading it as a type returns `None` if it is of another one.
// No `Debug`: it may be a password.
#[derive(Clone, Copy)]
pub(crate) struct Json<'b>(&'b RawValue);

impl<'b> Json<'b> {
    /// A whole body.
    pub(super) fn of(bytes: &'b [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(Self)
    }

    pub(crate) fn is_null(self) -> bool {
        self.0.get() == "null"
    }

    pub(crate) fn is_object(self) -> bool {
        self.0.get().starts_with('{')
    }

    fn read<T: Deserialize<'b>>(self) -> Option<T> {
        serde_json::from_str(self.0.get()).ok()
    }

    /// Borrowed when it has no escapes.
    pub(crate) fn text(self) -> Option<Cow<'b, str>> {
        self.read().map(|Text(text)| text)
    }

    pub(crate) fn flag(self) -> Option<bool> {
        self.read()
    }

    pub(crate) fn number(self) -> Option<Number> {
        self.read()
    }

    /// In the order of the body, repeated ones included. There are at most as many as [`super::check`] let pass.
    pub(super) fn members(self) -> Option<Vec<(Cow<'b, str>, Self)>> {
        self.read().map(|Object(members)| members)
    }

    /// The items of a list. The outer `None` stands for a value that is no list, the inner one for more than `most`
    /// items, of which none is kept.
    pub(super) fn items(self, most: usize) -> Option<Option<Vec<Self>>> {
        let mut deserializer = serde_json::Deserializer::from_str(self.0.get());
        deserializer.deserialize_seq(ItemsVisitor { most }).ok()
    }
}

struct Text<'b>(Cow<'b, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

struct Object<'b>(Vec<(Cow<'b, str>, Json<'b>)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = vec![];
        while let Some((Text(name), value)) = access.next_entry()? {
            members.push((name, Json(value)));
        }
        Ok(Object(members))
    }
}

struct ItemsVisitor {
    most: usize,
}

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Option<Vec<Json<'de>>>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut items = vec![];
        while let Some(item) = access.next_element()? {
            if items.len() == self.most {
                while access.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            items.push(Json(item));
        }
        Ok(Some(items))
    }
}
