//! The filters and tests of the language in one table: what is not here does not exist.

use minijinja::{Environment, filters, tests};

use crate::expr::types::Ty;

/// What a filter takes and gives.
pub(super) struct Filter {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    pub(super) gives: Gives,
}

/// Kinds of values that a filter takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Anything,
    Text,
    Number,
    List,
    /// A text, a list or a map.
    Measurable,
}

/// What a filter gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Text,
    Integer,
    Number,
    Boolean,
    Texts,
    /// The type of its input.
    Same,
    /// The type of an element of its input.
    Element,
    List,
    Anything,
}

macro_rules! filters {
    ($($name:literal $function:path, $takes:ident -> $gives:ident;)*) => {
        /// All filters.
        pub(super) const FILTERS: &[Filter] =
            &[$(Filter { name: $name, takes: Takes::$takes, gives: Gives::$gives }),*];

        fn add_filters(environment: &mut Environment<'static>) {
            $(environment.add_filter($name, $function);)*
        }
    };
}

filters! {
    "abs" filters::abs, Number -> Same;
    "bool" filters::bool, Anything -> Boolean;
    "capitalize" filters::capitalize, Text -> Text;
    "default" filters::default, Anything -> Anything;
    "first" filters::first, Measurable -> Element;
    "float" filters::float, Anything -> Number;
    "int" filters::int, Anything -> Integer;
    "join" filters::join, List -> Text;
    "last" filters::last, Measurable -> Element;
    "length" filters::length, Measurable -> Integer;
    "list" filters::list, Anything -> List;
    "lower" filters::lower, Text -> Text;
    "max" filters::max, List -> Element;
    "min" filters::min, List -> Element;
    "replace" filters::replace, Text -> Text;
    "reverse" filters::reverse, Measurable -> Same;
    "round" filters::round, Number -> Number;
    "sort" filters::sort, List -> Same;
    "split" filters::split, Text -> Texts;
    "string" filters::string, Anything -> Text;
    "sum" filters::sum, List -> Number;
    "title" filters::title, Text -> Text;
    "tojson" filters::tojson, Anything -> Text;
    "trim" filters::trim, Text -> Text;
    "unique" filters::unique, List -> Same;
    "upper" filters::upper, Text -> Text;
}

macro_rules! tests {
    ($($name:literal $function:path;)*) => {
        /// All tests (`is defined`).
        pub(super) const TESTS: &[&str] = &[$($name),*];

        fn add_tests(environment: &mut Environment<'static>) {
            $(environment.add_test($name, $function);)*
        }
    };
}

tests! {
    "defined" tests::is_defined;
    "undefined" tests::is_undefined;
    "none" tests::is_none;
    "string" tests::is_string;
    "number" tests::is_number;
    "integer" tests::is_integer;
    "boolean" tests::is_boolean;
    "mapping" tests::is_mapping;
    "sequence" tests::is_sequence;
    "startingwith" tests::is_startingwith;
    "endingwith" tests::is_endingwith;
    "in" tests::is_in;
    "odd" tests::is_odd;
    "even" tests::is_even;
    "true" tests::is_true;
    "false" tests::is_false;
}

pub(super) fn register(environment: &mut Environment<'static>) {
    add_filters(environment);
    add_tests(environment);
}

impl Takes {
    pub(super) fn accepts(self, ty: &Ty) -> bool {
        match (self, ty) {
            (_, Ty::Any) | (Self::Anything, _) => true,
            (Self::Text, ty) => *ty == Ty::Text,
            (Self::Number, ty) => matches!(ty, Ty::Integer | Ty::Number),
            (Self::List, ty) => matches!(ty, Ty::List(_)),
            (Self::Measurable, ty) => matches!(ty, Ty::List(_) | Ty::Text | Ty::Map | Ty::MapOf(_)),
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Anything => "anything",
            Self::Text => "a text",
            Self::Number => "a number",
            Self::List => "a list",
            Self::Measurable => "a text, a list or a map",
        }
    }
}

impl Gives {
    pub(super) fn of(self, input: &Ty) -> Ty {
        match self {
            Self::Text => Ty::Text,
            Self::Integer => Ty::Integer,
            Self::Number => Ty::Number,
            Self::Boolean => Ty::Boolean,
            Self::Texts => Ty::List(Box::new(Ty::Text)),
            Self::Same => input.clone(),
            Self::Element => match input {
                Ty::List(item) => (**item).clone(),
                Ty::Text => Ty::Text,
                _ => Ty::Any,
            },
            Self::List => match input {
                Ty::List(_) => input.clone(),
                _ => Ty::List(Box::new(Ty::Any)),
            },
            Self::Anything => Ty::Any,
        }
    }
}
