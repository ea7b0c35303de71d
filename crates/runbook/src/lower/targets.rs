//! `targets` and `restore_point`: what a site is and to which time it is brought back.

use crate::codes;
use crate::fields::Sink;
use crate::lower::{keys, values};
use crate::model::{At, Attribute, GroupDecl, OrderKey, RestorePoint, Targets, Type};
use crate::words;
use crate::yaml::{Node, Value};

pub(crate) fn targets(sink: &mut Sink<'_>, node: &Node) -> Targets {
    let fields = sink.fields(node, "`targets`", keys::TARGETS);
    let kind = match fields.get("kind") {
        None => "site".to_owned(),
        Some(node) => {
            let kind = sink.text(node, "`kind`").unwrap_or("site");
            sink.name(kind, node.span, "a kind of target", &[]);
            kind.to_owned()
        }
    };
    let id = fields.get("id").and_then(|node| pattern(sink, node));
    let attributes = fields.get("attributes").map(|node| attributes(sink, node)).unwrap_or_default();
    let groups = fields.get("scopes").map(|node| groups(sink, node)).unwrap_or_default();
    let order_by = fields.get("order_by").map(|node| order_by(sink, node, &attributes)).unwrap_or_default();
    Targets { kind, id, attributes, groups, order_by }
}

fn pattern(sink: &mut Sink<'_>, node: &Node) -> Option<regex::Regex> {
    let text = sink.text(node, "`targets.id`")?;
    let built = regex::RegexBuilder::new(text).size_limit(1 << 20).nest_limit(50).build();
    if built.is_err() {
        sink.error(
            codes::BAD_PATTERN,
            node.span,
            format!("`{}` is not a regular expression", words::short(text)),
            "use the syntax of Rust's regex crate: no look-around, no back references",
        );
    }
    built.ok()
}

fn attributes(sink: &mut Sink<'_>, node: &Node) -> Vec<Attribute> {
    let mut all: Vec<Attribute> = Vec::new();
    for entry in sink.entries(node, "`targets.attributes`") {
        values::variable_name(sink, &entry.key, entry.key_span, "an attribute");
        if ["id", "restore_point"].contains(&entry.key.as_str()) {
            sink.error(
                codes::BAD_NAME,
                entry.key_span,
                format!("`{}` is an attribute that every site has", entry.key),
                "remove it; `site.id` and `site.restore_point` need no declaration",
            );
        }
        if let Some(ty) = values::type_word(sink, &entry.value, "the type of an attribute", false)
            && !all.iter().any(|known| known.name == entry.key)
        {
            all.push(Attribute { name: entry.key.clone(), ty });
        }
    }
    all
}

fn groups(sink: &mut Sink<'_>, node: &Node) -> Vec<GroupDecl> {
    let mut all: Vec<GroupDecl> = Vec::new();
    for entry in sink.entries(node, "`targets.scopes`") {
        values::variable_name(sink, &entry.key, entry.key_span, "a scope");
        sink.name(&entry.key, entry.key_span, "a scope", values::RESERVED);
        if let Some(key) = sink.text(&entry.value, "the key of a scope")
            && !all.iter().any(|known| known.name == entry.key)
        {
            all.push(GroupDecl { name: entry.key.clone(), key: At::new(key.to_owned(), entry.value.span) });
        }
    }
    all
}

fn order_by(sink: &mut Sink<'_>, node: &Node, attributes: &[Attribute]) -> Vec<OrderKey> {
    let mut all = Vec::new();
    for (text, span) in sink.texts(node, "`order_by`") {
        let (descending, path) = match text.strip_prefix('-') {
            Some(path) => (true, path),
            None => (false, text),
        };
        match path.strip_prefix("site.") {
            Some("id") => all.push(OrderKey { attribute: None, descending }),
            Some(name) if attributes.iter().any(|known| known.name == name) => {
                all.push(OrderKey { attribute: attributes.iter().position(|known| known.name == name), descending });
            }
            found => sink.error(
                codes::UNKNOWN_ATTRIBUTE,
                span,
                format!("`{}` is no attribute of a site", words::short(text)),
                format!(
                    "write `site.NAME`, or `-site.NAME` for the largest first; {}",
                    words::suggest(
                        found.unwrap_or(path),
                        "attributes",
                        attributes.iter().map(|known| known.name.as_str())
                    )
                ),
            ),
        }
    }
    all
}

pub(crate) fn restore_point(sink: &mut Sink<'_>, node: &Node, targets: &Targets) -> Option<RestorePoint> {
    let fields = sink.fields(node, "`restore_point`", keys::RESTORE_POINT);
    let before_node = fields.need(sink, "before", "name the time of the damage: `before: site.deleted_at`");
    let before = before_node.and_then(|node| {
        let text = sink.text(node, "`before`")?;
        let name = text.strip_prefix("site.").unwrap_or(text);
        let found = targets.attributes.iter().position(|known| known.name == name && text.starts_with("site."));
        match found {
            Some(ix) if targets.attributes[ix].ty == Type::Timestamp => Some(ix),
            Some(ix) => {
                sink.error(
                    codes::BAD_RESTORE_POINT,
                    node.span,
                    format!("`{text}` is of type {}, not timestamp", targets.attributes[ix].ty.word()),
                    "name an attribute declared as `timestamp`",
                );
                None
            }
            None => {
                let times = targets.attributes.iter().filter(|known| known.ty == Type::Timestamp);
                sink.error(
                    codes::UNKNOWN_ATTRIBUTE,
                    node.span,
                    format!("`{}` is no attribute of a site", words::short(text)),
                    format!(
                        "write `site.NAME`; {}",
                        words::suggest(name, "timestamps", times.map(|known| known.name.as_str()))
                    ),
                );
                None
            }
        }
    });
    let margin = fields.get("margin").and_then(|node| match &node.value {
        Value::Text(text) if crate::template::has_hole(text) => Some(At::new(text.clone(), node.span)),
        _ => {
            sink.duration(node, "`margin`", true)?;
            Some(At::new(sink.text.source.slice(node.span).trim_matches(['"', '\'']).to_owned(), node.span))
        }
    });
    let align = fields.get("align").and_then(|node| {
        let name = sink.text(node, "`align`")?;
        let found = targets.groups.iter().position(|group| group.name == name);
        if found.is_none() && name != "site" {
            let known = std::iter::once("site").chain(targets.groups.iter().map(|group| group.name.as_str()));
            sink.error(
                codes::UNKNOWN_SCOPE,
                node.span,
                format!("restore points cannot be aligned to `{}`", words::short(name)),
                words::suggest(name, "allowed", known),
            );
        }
        found
    });
    let max_loss_ms = fields.get("max_loss").and_then(|node| sink.duration(node, "`max_loss`", true));
    Some(RestorePoint { before: before?, margin, align, max_loss_ms, span: before_node?.span })
}
