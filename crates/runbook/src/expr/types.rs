//! Which names an expression reads, and which types it certainly has: what cannot be known is `Any`, never an error.

use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr, UnaryOpKind};
use minijinja::machinery::{Span, ast};
use minijinja::value::ValueKind;

use crate::codes::{self, Code};
use crate::expr::functions::{FILTERS, TESTS, Takes};
use crate::words;

/// A type as far as it is known before a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    Any,
    Null,
    Boolean,
    Integer,
    Number,
    Text,
    List(Box<Ty>),
    Map,
    /// A map whose values are all of one type.
    MapOf(Box<Ty>),
}

impl Ty {
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Any => "anything".into(),
            Self::Null => "nothing".into(),
            Self::Boolean => "a boolean".into(),
            Self::Integer => "an integer".into(),
            Self::Number => "a number".into(),
            Self::Text => "a text".into(),
            Self::List(item) if **item == Self::Any => "a list".into(),
            Self::List(item) => format!("a list of {}", item.plural()),
            Self::Map => "a map".into(),
            Self::MapOf(item) => format!("a map of {}", item.plural()),
        }
    }

    fn plural(&self) -> String {
        self.words().trim_start_matches("an ").trim_start_matches("a ").to_owned() + "s"
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self, Self::Map | Self::MapOf(_))
    }

    fn numeric(&self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }

    /// Says whether two values of these types can ever be equal.
    fn comparable(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any | Self::Null, _) | (_, Self::Any | Self::Null) => true,
            (a, b) if a.numeric() && b.numeric() => true,
            (Self::List(_), Self::List(_)) => true,
            (a, b) if a.is_map() && b.is_map() => true,
            (a, b) => a == b,
        }
    }

    fn join(self, other: Self) -> Self {
        if self == other {
            self
        } else if self.numeric() && other.numeric() {
            Self::Number
        } else {
            Self::Any
        }
    }
}

/// A name with the fixed names after it: `steps.recover.outputs.url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) names: Vec<String>,
    /// Bytes in the expression.
    pub(crate) range: std::ops::Range<usize>,
    /// Whether the expression asks whether it is there (`is defined`, `| default`).
    pub(crate) guarded: bool,
}

impl Path {
    pub(crate) fn root(&self) -> &str {
        &self.names[0]
    }

    /// The second name, if there is one.
    pub(crate) fn second(&self) -> Option<&str> {
        self.names.get(1).map(String::as_str)
    }
}

/// Something wrong whatever is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) code: Code,
    pub(crate) fact: String,
    pub(crate) hint: String,
    pub(crate) range: std::ops::Range<usize>,
}

/// Returns the path that an expression is, if it is one.
pub(super) fn static_path(expr: &Expr<'_>) -> Option<Vec<String>> {
    match expr {
        Expr::Var(var) => Some(vec![var.id.to_owned()]),
        Expr::GetAttr(get) => {
            let mut path = static_path(&get.expr)?;
            path.push(get.name.to_owned());
            Some(path)
        }
        Expr::GetItem(get) => match &get.subscript_expr {
            Expr::Const(key) => {
                let key = key.value.as_str()?.to_owned();
                let mut path = static_path(&get.expr)?;
                path.push(key);
                Some(path)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Infers the type of an expression, asking `resolve` for each path that it reads.
pub(crate) fn infer(expr: &Expr<'_>, resolve: &mut dyn FnMut(&Path) -> Ty, mistakes: &mut Vec<Mistake>) -> Ty {
    Inference { resolve, mistakes, guarded: false }.of(expr)
}

struct Inference<'a> {
    resolve: &'a mut dyn FnMut(&Path) -> Ty,
    mistakes: &'a mut Vec<Mistake>,
    guarded: bool,
}

fn range(span: Span) -> std::ops::Range<usize> {
    span.start_offset as usize..(span.end_offset.max(span.start_offset)) as usize
}

fn start_of(expr: &Expr<'_>) -> usize {
    match expr {
        Expr::GetAttr(get) => start_of(&get.expr),
        Expr::GetItem(get) => start_of(&get.expr),
        _ => range(expr.span()).start,
    }
}

impl Inference<'_> {
    fn mistake(&mut self, code: Code, at: &Expr<'_>, fact: String, hint: impl Into<String>) {
        let range = start_of(at)..range(at.span()).end;
        self.mistakes.push(Mistake { code, fact, hint: hint.into(), range });
    }

    fn of(&mut self, expr: &Expr<'_>) -> Ty {
        if let Some(names) = static_path(expr) {
            let path = Path { names, range: start_of(expr)..range(expr.span()).end, guarded: self.guarded };
            return (self.resolve)(&path);
        }
        match expr {
            Expr::Var(_) => Ty::Any,
            Expr::Const(value) => constant(&value.value),
            Expr::GetAttr(get) => {
                let base = self.of(&get.expr);
                self.reject_plain(&base, expr);
                Ty::Any
            }
            Expr::GetItem(get) => self.item(get, expr),
            Expr::Slice(slice) => {
                let base = self.of(&slice.expr);
                for part in [&slice.start, &slice.stop, &slice.step].into_iter().flatten() {
                    self.of(part);
                }
                base
            }
            Expr::UnaryOp(op) => self.unary(op, expr),
            Expr::BinOp(op) => self.binary(op, expr),
            Expr::Compare(compare) => {
                let mut left = self.of(&compare.expr);
                for op in &compare.ops {
                    let right = self.of(&op.expr);
                    self.compare(op.op, &left, &right, expr);
                    left = right;
                }
                Ty::Boolean
            }
            Expr::IfExpr(choice) => {
                self.of(&choice.test_expr);
                let yes = self.of(&choice.true_expr);
                match &choice.false_expr {
                    Some(no) => {
                        let no = self.of(no);
                        yes.join(no)
                    }
                    None => {
                        self.mistake(
                            codes::EXPR_TYPE,
                            expr,
                            "`if` without `else` gives nothing when it is false".into(),
                            "write `A if TEST else B`",
                        );
                        Ty::Any
                    }
                }
            }
            Expr::Filter(filter) => self.filter(filter, expr),
            Expr::Test(test) => self.test(test, expr),
            Expr::Call(call) => self.call(call, expr),
            Expr::List(list) => {
                let mut items = list.items.iter().map(|item| self.of(item)).collect::<Vec<_>>().into_iter();
                let first = items.next().unwrap_or(Ty::Any);
                Ty::List(Box::new(items.fold(first, Ty::join)))
            }
            Expr::Tuple(tuple) => {
                for item in &tuple.items {
                    self.of(item);
                }
                Ty::List(Box::new(Ty::Any))
            }
            Expr::Map(map) => {
                for item in map.keys.iter().chain(&map.values) {
                    self.of(item);
                }
                Ty::Map
            }
        }
    }

    fn reject_plain(&mut self, base: &Ty, expr: &Expr<'_>) {
        if matches!(base, Ty::Boolean | Ty::Integer | Ty::Number | Ty::Text | Ty::Null) {
            self.mistake(
                codes::EXPR_TYPE,
                expr,
                format!("{} has nothing inside to read", base.words()),
                "remove what follows the dot or bracket",
            );
        }
    }

    fn item(&mut self, get: &ast::GetItem<'_>, expr: &Expr<'_>) -> Ty {
        let base = self.of(&get.expr);
        let key = self.of(&get.subscript_expr);
        match base {
            Ty::List(item) => {
                if !matches!(key, Ty::Any | Ty::Integer) {
                    self.mistake(
                        codes::EXPR_TYPE,
                        expr,
                        format!("a list is indexed by an integer, not by {}", key.words()),
                        "write `list[0]`",
                    );
                }
                *item
            }
            Ty::MapOf(item) => {
                if !matches!(key, Ty::Any | Ty::Text) {
                    self.mistake(
                        codes::EXPR_TYPE,
                        expr,
                        format!("a map is indexed by a text, not by {}", key.words()),
                        "write the key in quotes, such as `map['key']`",
                    );
                }
                *item
            }
            Ty::Text => Ty::Text,
            other => {
                self.reject_plain(&other, expr);
                Ty::Any
            }
        }
    }

    fn unary(&mut self, op: &ast::UnaryOp<'_>, expr: &Expr<'_>) -> Ty {
        let inner = self.of(&op.expr);
        match op.op {
            UnaryOpKind::Not => Ty::Boolean,
            UnaryOpKind::Neg => {
                if !(inner.numeric() || inner == Ty::Any) {
                    self.mistake(
                        codes::EXPR_TYPE,
                        expr,
                        format!("`-` needs a number, this is {}", inner.words()),
                        "remove the `-`",
                    );
                }
                inner
            }
        }
    }

    fn binary(&mut self, op: &ast::BinOp<'_>, expr: &Expr<'_>) -> Ty {
        let left = self.of(&op.left);
        let right = self.of(&op.right);
        let compared = match op.op {
            BinOpKind::Eq => Some(CompareOpKind::Eq),
            BinOpKind::Ne => Some(CompareOpKind::Ne),
            BinOpKind::Lt => Some(CompareOpKind::Lt),
            BinOpKind::Lte => Some(CompareOpKind::Lte),
            BinOpKind::Gt => Some(CompareOpKind::Gt),
            BinOpKind::Gte => Some(CompareOpKind::Gte),
            BinOpKind::In => Some(CompareOpKind::In),
            _ => None,
        };
        if let Some(kind) = compared {
            self.compare(kind, &left, &right, expr);
            return Ty::Boolean;
        }
        match op.op {
            BinOpKind::ScAnd | BinOpKind::ScOr => left.join(right),
            BinOpKind::Concat => Ty::Text,
            BinOpKind::Add if left == Ty::Text && right == Ty::Text => Ty::Text,
            BinOpKind::Add if matches!((&left, &right), (Ty::List(_), Ty::List(_))) => left.join(right),
            _ => {
                let unfit = |ty: &Ty| !(ty.numeric() || *ty == Ty::Any);
                if unfit(&left) || unfit(&right) {
                    self.mistake(
                        codes::EXPR_TYPE,
                        expr,
                        format!("{} and {} cannot be put together this way", left.words(), right.words()),
                        "use numbers on both sides; `~` joins texts",
                    );
                    return Ty::Any;
                }
                match (left, right, op.op) {
                    (Ty::Integer, Ty::Integer, BinOpKind::Div | BinOpKind::Pow) => Ty::Number,
                    (Ty::Any, _, _) | (_, Ty::Any, _) => Ty::Any,
                    (left, right, _) => left.join(right),
                }
            }
        }
    }

    fn compare(&mut self, op: CompareOpKind, left: &Ty, right: &Ty, expr: &Expr<'_>) {
        let fits = match op {
            CompareOpKind::In | CompareOpKind::NotIn => match right {
                Ty::List(item) => left.comparable(item),
                Ty::Text => matches!(left, Ty::Text | Ty::Any),
                Ty::Map | Ty::MapOf(_) | Ty::Any => true,
                _ => false,
            },
            CompareOpKind::Eq | CompareOpKind::Ne => left.comparable(right),
            _ => {
                left.comparable(right)
                    && !(*left == Ty::Boolean || left.is_map())
                    && !(*right == Ty::Boolean || right.is_map())
            }
        };
        if !fits {
            self.mistake(
                codes::EXPR_TYPE,
                expr,
                format!("{} is compared with {}", left.words(), right.words()),
                "compare values of one type; texts are in quotes, numbers are not",
            );
        }
    }

    fn args(&mut self, args: &[CallArg<'_>]) {
        for arg in args {
            match arg {
                CallArg::Pos(expr) | CallArg::Kwarg(_, expr) | CallArg::PosSplat(expr) | CallArg::KwargSplat(expr) => {
                    self.of(expr);
                }
            }
        }
    }

    fn guarded(&mut self, guarded: bool, expr: &Expr<'_>) -> Ty {
        let before = self.guarded;
        self.guarded |= guarded;
        let ty = self.of(expr);
        self.guarded = before;
        ty
    }

    fn filter(&mut self, filter: &ast::Filter<'_>, expr: &Expr<'_>) -> Ty {
        let input = filter.expr.as_ref().map_or(Ty::Any, |inner| self.guarded(filter.name == "default", inner));
        self.args(&filter.args);
        let Some(known) = FILTERS.iter().find(|known| known.name == filter.name) else {
            let hint = words::suggest(filter.name, "filters", FILTERS.iter().map(|known| known.name));
            self.mistake(codes::EXPR_FUNCTION, expr, format!("there is no filter `{}`", filter.name), hint);
            return Ty::Any;
        };
        if known.takes != Takes::Anything && !known.takes.accepts(&input) {
            self.mistake(
                codes::EXPR_TYPE,
                expr,
                format!("`{}` takes {}, this is {}", filter.name, known.takes.words(), input.words()),
                "convert it first, with `| string`, `| int` or `| list`",
            );
        }
        known.gives.of(&input)
    }

    fn test(&mut self, test: &ast::Test<'_>, expr: &Expr<'_>) -> Ty {
        self.guarded(matches!(test.name, "defined" | "undefined"), &test.expr);
        self.args(&test.args);
        if !TESTS.contains(&test.name) {
            let hint = words::suggest(test.name, "tests", TESTS.iter().copied());
            self.mistake(codes::EXPR_FUNCTION, expr, format!("there is no test `{}`", test.name), hint);
        }
        Ty::Boolean
    }

    fn call(&mut self, call: &ast::Call<'_>, expr: &Expr<'_>) -> Ty {
        self.args(&call.args);
        let name = static_path(&call.expr).map_or_else(|| "it".to_owned(), |path| path.join("."));
        self.mistake(
            codes::EXPR_FUNCTION,
            expr,
            format!("`{name}` cannot be called: the language has filters, not functions"),
            words::suggest(
                name.rsplit('.').next().unwrap_or_default(),
                "filters",
                FILTERS.iter().map(|known| known.name),
            ),
        );
        Ty::Any
    }
}

fn constant(value: &minijinja::Value) -> Ty {
    match value.kind() {
        ValueKind::None => Ty::Null,
        ValueKind::Bool => Ty::Boolean,
        ValueKind::Number if value.is_integer() => Ty::Integer,
        ValueKind::Number => Ty::Number,
        ValueKind::String => Ty::Text,
        ValueKind::Seq => Ty::List(Box::new(Ty::Any)),
        ValueKind::Map => Ty::Map,
        _ => Ty::Any,
    }
}
