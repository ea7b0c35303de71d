//! Expressions: minijinja's language, strict, bounded, with our own names, types and filters.

mod functions;
mod types;

use std::sync::OnceLock;

use minijinja::machinery::parse_expr;
use minijinja::value::ValueKind;
use minijinja::{Environment, Expression, UndefinedBehavior, Value};
use serde_json::Value as Json;

pub(crate) use types::{Mistake, Path, Ty, infer};

/// Longest expression in bytes: longer ones could overflow the parser's stack.
pub(crate) const MAX_EXPRESSION: usize = 1024;
/// Instructions that one evaluation may execute.
const FUEL: u64 = 50_000;
/// Largest result, in bytes of JSON.
const MAX_RESULT: usize = 256 * 1024;

fn environment() -> &'static Environment<'static> {
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(50);
        functions::register(&mut environment);
        environment
    })
}

/// An expression that cannot be parsed: what and where in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unparsable {
    pub(crate) fact: String,
    pub(crate) range: std::ops::Range<usize>,
    pub(crate) too_long: bool,
}

/// An expression ready to be evaluated.
pub(crate) struct Compiled {
    pub(crate) text: String,
    /// Every name it reads.
    pub(crate) paths: Vec<Path>,
    /// Names and types are wrong whatever is declared.
    pub(crate) mistakes: Vec<Mistake>,
    /// Set if the expression is nothing but one path: it is then looked up without running a program.
    pub(crate) only_path: bool,
    program: Option<Expression<'static, 'static>>,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_tuple("Compiled").field(&self.text).finish()
    }
}

impl Compiled {
    /// Parses an expression; types are inferred with what `resolve` says about each path.
    pub(crate) fn new(text: &str, resolve: &mut dyn FnMut(&Path) -> Ty) -> Result<(Self, Ty), Unparsable> {
        if text.len() > MAX_EXPRESSION {
            return Err(Unparsable {
                fact: format!("the expression has {} bytes, more than {MAX_EXPRESSION}", text.len()),
                range: 0..text.len(),
                too_long: true,
            });
        }
        if text.trim().is_empty() {
            return Err(Unparsable { fact: "the expression is empty".into(), range: 0..text.len(), too_long: false });
        }
        let tree = parse_expr(text).map_err(|error| unparsable(text, &error))?;
        let mut paths = Vec::new();
        let mut mistakes = Vec::new();
        let ty = infer(
            &tree,
            &mut |path| {
                let ty = resolve(path);
                paths.push(path.clone());
                ty
            },
            &mut mistakes,
        );
        let only_path = types::static_path(&tree).is_some();
        // A program is made only of what is sound: constants are folded when it is made.
        let program = if only_path || !mistakes.is_empty() {
            None
        } else {
            Some(environment().compile_expression_owned(text.to_owned()).map_err(|error| unparsable(text, &error))?)
        };
        Ok((Self { text: text.to_owned(), paths, mistakes, only_path, program }, ty))
    }

    /// Parses an expression without checking its names.
    pub(crate) fn unchecked(text: &str) -> Result<Self, Unparsable> {
        Self::new(text, &mut |_| Ty::Any).map(|(compiled, _)| compiled)
    }

    /// Says whether a path starts with a name.
    pub(crate) fn reads(&self, root: &str) -> bool {
        self.paths.iter().any(|path| path.root() == root)
    }

    /// Evaluates; the context holds at least what `paths` names.
    pub(crate) fn evaluate(&self, context: Value) -> Result<Json, String> {
        let Some(program) = &self.program else {
            return Err(self
                .mistakes
                .first()
                .map_or_else(|| "the expression cannot be evaluated".to_owned(), |mistake| mistake.fact.clone()));
        };
        let value = program.eval(context).map_err(|error| fact_of(&error))?;
        to_json(&value, 0)
    }
}

fn unparsable(text: &str, error: &minijinja::Error) -> Unparsable {
    let range = error.range().filter(|range| range.end <= text.len()).unwrap_or(0..text.len());
    Unparsable { fact: fact_of(error), range, too_long: false }
}

fn fact_of(error: &minijinja::Error) -> String {
    let kind = match error.kind() {
        minijinja::ErrorKind::UndefinedError => "a value is not there",
        minijinja::ErrorKind::OutOfFuel => "the expression takes too long",
        minijinja::ErrorKind::SyntaxError => "the expression cannot be parsed",
        minijinja::ErrorKind::InvalidOperation => "the values do not fit the operation",
        _ => "the expression fails",
    };
    match error.detail() {
        Some(detail) => format!("{kind}: {}", crate::words::short(detail)),
        None => kind.to_owned(),
    }
}

/// Converts a result; undefined values are errors also deep inside.
fn to_json(value: &Value, depth: usize) -> Result<Json, String> {
    if depth > 32 {
        return Err("the result is nested too deeply".into());
    }
    match value.kind() {
        ValueKind::Undefined => Err("a value is not there".into()),
        ValueKind::None => Ok(Json::Null),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut all = Vec::new();
            let mut size = 0;
            for item in value.try_iter().map_err(|error| fact_of(&error))? {
                let item = to_json(&item, depth + 1)?;
                size += weight(&item);
                if size > MAX_RESULT {
                    return Err(format!("the result is larger than {MAX_RESULT} bytes"));
                }
                all.push(item);
            }
            Ok(Json::Array(all))
        }
        ValueKind::Map => {
            let mut all = serde_json::Map::new();
            for key in value.try_iter().map_err(|error| fact_of(&error))? {
                let item = value.get_item(&key).map_err(|error| fact_of(&error))?;
                all.insert(key.to_string(), to_json(&item, depth + 1)?);
                if all.len() > MAX_RESULT / 8 {
                    return Err(format!("the result is larger than {MAX_RESULT} bytes"));
                }
            }
            Ok(Json::Object(all))
        }
        ValueKind::String | ValueKind::Bool | ValueKind::Number => {
            if value.as_str().is_some_and(|text| text.len() > MAX_RESULT) {
                return Err(format!("the result is larger than {MAX_RESULT} bytes"));
            }
            match serde_json::to_value(value) {
                Ok(Json::Null) | Err(_) => Err("the result is no finite number".into()),
                Ok(json) => Ok(json),
            }
        }
        _ => Err("the result is no plain value".into()),
    }
}

fn weight(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len() + 2,
        Json::Array(items) => items.iter().map(weight).sum::<usize>() + 2,
        Json::Object(items) => items.iter().map(|(key, item)| key.len() + weight(item)).sum::<usize>() + 2,
        _ => 8,
    }
}

/// Converts JSON to a value of an expression.
pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::from(integer),
            None => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(entries) => Value::from_pairs(entries.iter().map(|(key, item)| (key.as_str(), value(item)))),
    }
}
