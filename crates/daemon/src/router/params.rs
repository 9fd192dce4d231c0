//! Parameters of a request, from its path and query, into the operation's type. Pure.

use serde::de::value::{Error as ValueError, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use volt_api::Problem;
use volt_model::kind::ErrorKind;
use volt_model::percent;

/// The most parameters one request may have.
const MAX_PAIRS: usize = 512;

/// Names with their texts, percent-decoded, in the order they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// Those of the path, then those of the query.
    pub(crate) fn collect(path: Vec<(&str, String)>, query: &str) -> Result<Self, Problem> {
        let mut pairs: Vec<_> = path.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        for part in query.split('&').filter(|p| !p.is_empty()) {
            if pairs.len() == MAX_PAIRS {
                return Err(wrong("The request has too many parameters"));
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let decode = |text: &str| percent::decode(&text.replace('+', " "));
            match (decode(name), decode(value)) {
                (Some(name), Some(value)) => pairs.push((name, value)),
                _ => return Err(wrong("The request's query is not percent-encoded UTF-8")),
            }
        }
        Ok(Self(pairs))
    }

    /// The text of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All of them as the type an operation takes; a list is a parameter that is there more than once.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let mut all: Vec<(&str, Texts<'_>)> = Vec::new();
        for (name, value) in &self.0 {
            match all.iter_mut().find(|(other, _)| other == name) {
                Some((_, texts)) => texts.values.push(value),
                None => all.push((name, Texts { name, values: vec![value] })),
            }
        }
        T::deserialize(MapDeserializer::<_, ValueError>::new(all.into_iter()))
            .map_err(|error| wrong("The request's parameters are wrong").because(&error))
    }
}

fn wrong(title: &str) -> Problem {
    Problem::new(ErrorKind::Usage, title)
}

/// A parameter's texts, read as whatever the operation's field is. There is at least one.
struct Texts<'a> {
    name: &'a str,
    values: Vec<&'a str>,
}

impl<'a> Texts<'a> {
    /// The only one.
    fn one(&self) -> Result<&'a str, ValueError> {
        match self.values[..] {
            [value] => Ok(value),
            _ => Err(ValueError::custom(format_args!("duplicate field `{}`", self.name))),
        }
    }

    fn number<T: std::str::FromStr>(self) -> Result<T, ValueError> {
        self.one()?.parse().map_err(|_| {
            ValueError::custom(format_args!("`{}` takes a number that fits", self.name))
        })
    }
}

impl<'de> IntoDeserializer<'de, ValueError> for Texts<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            visitor.$visit(self.number()?)
        })*
    };
}

impl<'de> serde::Deserializer<'de> for Texts<'_> {
    type Error = ValueError;

    numbers! {
        deserialize_u8 visit_u8, deserialize_u16 visit_u16, deserialize_u32 visit_u32,
        deserialize_u64 visit_u64, deserialize_i8 visit_i8, deserialize_i16 visit_i16,
        deserialize_i32 visit_i32, deserialize_i64 visit_i64, deserialize_f64 visit_f64,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_str(self.one()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self.one()? {
            // A bare `?all` means what it says.
            "true" | "1" | "" => visitor.visit_bool(true),
            "false" | "0" => visitor.visit_bool(false),
            _ => Err(ValueError::custom(format_args!("`{}` takes true or false", self.name))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let name = self.name;
        let each = self.values.into_iter().map(|value| Texts { name, values: vec![value] });
        visitor.visit_seq(SeqDeserializer::new(each))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    /// Types without `deny_unknown_fields` come here with what they don't know.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ValueError> {
        Err(ValueError::custom(format_args!("unknown parameter `{}`", self.name)))
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 char str string bytes byte_buf unit unit_struct tuple tuple_struct map
        struct enum identifier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use volt_api::types::{AuditList, ContainerDelete, ContainerStop, ImageBuild, Nothing};

    fn pairs(name: &str, query: &str) -> Pairs {
        Pairs::collect(vec![("name", name.to_owned())], query).unwrap()
    }

    fn cause<T: DeserializeOwned>(query: &str) -> String {
        let problem = Pairs::collect(vec![], query).unwrap().read::<T>().err().unwrap();
        problem.causes.join(": ")
    }

    #[test]
    fn texts_become_numbers_and_flags() {
        let stop: ContainerStop = pairs("web", "timeout=5").read().unwrap();
        assert_eq!((stop.name.as_str(), stop.timeout), ("web", Some(5)));
        for (query, force) in
            [("force=true", true), ("force", true), ("force=false", false), ("", false)]
        {
            assert_eq!(
                pairs("web", query).read::<ContainerDelete>().unwrap().force,
                force,
                "{query}"
            );
        }
        let list: AuditList = pairs("", "user=a+b%2Bc&lines=3").read().unwrap_or_default();
        assert_eq!(list.user, None, "`name` is no parameter of it");
    }

    #[test]
    fn lists_are_parameters_that_are_there_more_than_once() {
        let read =
            |query: &str| Pairs::collect(vec![], query).unwrap().read::<ImageBuild>().unwrap();
        assert_eq!(read("image=a&env=A%3D1&env=&env=B").env, ["A=1", "", "B"]);
        assert_eq!(read("image=a&env=A").env, ["A"]);
        assert_eq!(read("image=a").env, [""; 0]);
        assert!(cause::<ImageBuild>("image=a&image=b").contains("duplicate field `image`"));
    }

    #[test]
    fn errors_name_the_parameter() {
        assert_eq!(cause::<ContainerStop>("timeout=soon"), "`timeout` takes a number that fits");
        assert_eq!(cause::<ContainerStop>("timeout=-1"), "`timeout` takes a number that fits");
        assert_eq!(cause::<ContainerDelete>("force=perhaps"), "`force` takes true or false");
        assert!(cause::<ContainerDelete>("forse=true").contains("unknown field `forse`"));
        assert_eq!(cause::<Nothing>("all=true"), "unknown parameter `all`");
        let twice = pairs("web", "name=db").read::<ContainerStop>().unwrap_err();
        assert!(twice.causes[0].contains("duplicate field `name`"), "{twice}");
    }

    #[test]
    fn encoding() {
        for (text, decoded) in [
            ("a%20b", Some("a b")),
            ("%C3%A4", Some("ä")),
            ("%ff", None),
            ("%2", None),
            ("%zz", None),
        ] {
            assert_eq!(percent::decode(text).as_deref(), decoded, "{text}");
        }
        assert!(Pairs::collect(vec![], "a=%ff").is_err());
        assert!(Pairs::collect(vec![], &"a=1&".repeat(MAX_PAIRS + 1)).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(query in "[ -~]{0,200}") {
            if let Ok(pairs) = Pairs::collect(vec![], &query) {
                drop(pairs.read::<ContainerStop>());
            }
        }
    }
}
