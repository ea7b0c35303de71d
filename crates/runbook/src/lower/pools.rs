//! `pools`, and the slots that a step takes of them.

use engine::{PoolSpec, PoolUse, Scope};

use crate::codes;
use crate::fields::Sink;
use crate::lower::{Scene, keys};
use crate::model::Pool;
use crate::source::Span;
use crate::words;
use crate::yaml::{Node, Value};

pub(crate) fn pools(sink: &mut Sink<'_>, scene: &Scene<'_>, node: &Node) -> Vec<Pool> {
    let mut all: Vec<Pool> = Vec::new();
    for entry in sink.entries(node, "`pools`") {
        sink.name(&entry.key, entry.key_span, "a pool", &[]);
        let fields = sink.fields(&entry.value, "a pool", keys::POOL);
        let per =
            fields.get("per").and_then(|node| scene.scope(sink, node, "`per`")).filter(|&scope| scope != Scope::Run);
        let slots = fields
            .get("slots")
            .and_then(|node| sink.integer(node, "`slots`", 1..=1_000_000))
            .and_then(|slots| u32::try_from(slots).ok());
        let rate = fields.get("rate").and_then(|node| {
            let text = sink.text(node, "`rate`")?;
            words::rate(text)
                .map_err(|fact| {
                    sink.error(
                        codes::BAD_RATE,
                        node.span,
                        fact,
                        "write starts per second, minute or hour: `200/s`, `50/m`, `100/h`",
                    )
                })
                .ok()
        });
        if fields.get("slots").is_none() && fields.get("rate").is_none() {
            sink.error(
                codes::POOL_EMPTY,
                entry.key_span,
                format!("the pool `{}` limits nothing", entry.key),
                "give it `slots: 4`, `rate: 200/s` or both",
            );
        }
        let shared = fields.get("shared").and_then(|node| sink.boolean(node, "`shared`")).unwrap_or(false);
        if let (true, Some(Scope::Site | Scope::Batch), Some(found)) = (shared, per, fields.entry("shared")) {
            sink.error(
                codes::POOL_SHARED,
                found.key_span,
                format!("the pool `{}` cannot be shared: no other run has these sites and batches", entry.key),
                "share a pool without `per`, or per a scope that is declared in `targets.scopes`",
            );
        }
        all.push(Pool { spec: PoolSpec { name: entry.key.clone(), per, slots, rate, shared } });
    }
    all
}

/// Reads `pool:` of a step: a name, a list of names, or a map from names to slots.
pub(crate) fn uses(sink: &mut Sink<'_>, scene: &Scene<'_>, node: &Node, scope: Scope) -> Vec<PoolUse> {
    let mut wanted: Vec<(String, Span, i64)> = Vec::new();
    match &node.value {
        Value::Map(_) => {
            for entry in sink.entries(node, "`pool`") {
                if let Some(slots) = sink.integer(&entry.value, "slots", 1..=1_000_000) {
                    wanted.push((entry.key.clone(), entry.key_span, slots));
                }
            }
        }
        _ => wanted.extend(sink.texts(node, "`pool`").into_iter().map(|(name, span)| (name.to_owned(), span, 1))),
    }
    let mut all: Vec<PoolUse> = Vec::new();
    for (name, span, slots) in wanted {
        let Some(ix) = scene.pools.iter().position(|pool| pool.name == name) else {
            sink.error(
                codes::UNKNOWN_POOL,
                span,
                format!("there is no pool `{}`", words::short(&name)),
                words::suggest(&name, "pools", scene.pools.iter().map(|pool| pool.name.as_str())),
            );
            continue;
        };
        let pool = &scene.pools[ix];
        if let Some(size) = pool.slots
            && slots > i64::from(size)
        {
            sink.error(
                codes::POOL_SLOTS,
                span,
                format!("the step wants {slots} slots of `{name}`, which has {size}: it could never start"),
                format!("take at most {size}, or give the pool more slots"),
            );
        }
        if let Some(per) = pool.per
            && scope != Scope::Site
            && scope != per
        {
            sink.error(
                codes::POOL_SCOPE,
                span,
                format!(
                    "the pool `{name}` is counted per key of a scope of which one unit of this step covers several"
                ),
                "use a pool without `per`, or give the step the scope of the pool",
            );
        }
        if all.iter().any(|taken| taken.pool.ix() == ix) {
            sink.error(
                codes::DUPLICATE_KEY,
                span,
                format!("the pool `{name}` is taken twice"),
                "remove one, or take more slots: `pool: { name: 2 }`",
            );
        } else {
            all.push(PoolUse { pool: ix.into(), slots: u32::try_from(slots).unwrap_or(1) });
        }
    }
    all
}
