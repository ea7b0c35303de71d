//! Where people can look at what came back: outputs of steps that are links. Kept only of runs in which people decide on steps.

use std::collections::BTreeMap;

use engine::{Event, Mode, Plan, SiteIx, UnitIx, Work};
use serde_json::Value;

use crate::fold::Fold;

/// Links kept of one unit, and characters of each.
const OF_UNIT: usize = 5;
const LONGEST: usize = 500;

/// Name and address of what one unit gave.
type Given = Box<[(Box<str>, Box<str>)]>;

/// Links that units gave and did not take back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links(BTreeMap<UnitIx, Given>);

impl Links {
    /// Takes an event in; `mode` is that of the attempt that ended.
    pub(super) fn note(&mut self, plan: &Plan, event: &Event, mode: Option<Mode>) {
        let Event::Succeeded { unit, outputs } = event else { return };
        if mode.is_some_and(Mode::is_undo) {
            self.0.remove(unit);
        } else if let Some(outputs) = outputs.as_deref().filter(|text| text.contains("://"))
            && plan.spec().steps.iter().any(|step| matches!(step.work, Work::Approval(_)))
        {
            self.0.insert(*unit, read(outputs));
        }
    }

    pub(super) fn units(&self) -> impl Iterator<Item = UnitIx> + '_ {
        self.0.keys().copied()
    }

    /// Follows an amended plan.
    pub(super) fn amended(&mut self, unit: impl Fn(UnitIx) -> Option<UnitIx>) {
        let before = std::mem::take(&mut self.0);
        self.0 = before.into_iter().filter_map(|(old, links)| Some((unit(old)?, links))).collect();
    }
}

fn read(outputs: &str) -> Given {
    let Ok(Value::Object(outputs)) = serde_json::from_str(outputs) else { return Box::default() };
    let links = outputs.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) if is_link(&text) => Some((name.into(), text.into())),
        _ => None,
    });
    links.take(OF_UNIT).collect()
}

/// Whether a text is an address that a browser opens, and nothing that it would execute.
#[must_use]
pub fn is_link(text: &str) -> bool {
    let web = text.starts_with("https://") || text.starts_with("http://");
    web && text.len() <= LONGEST && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control())
}

impl Fold {
    /// Where what came back of a site can be looked at: step, name of the output, address. Of its own steps and of those
    /// that it shares with others.
    #[must_use]
    pub fn links(&self, site: SiteIx) -> Vec<(&str, &str, &str)> {
        let (run, plan) = (&self.run, self.run.plan());
        let mut found = Vec::new();
        for step in plan.steps() {
            let spec = plan.step(step);
            let of_site = engine::KeyIx(site.0);
            let Some(key) = plan.covering_key(engine::Scope::Site, of_site, spec.scope) else { continue };
            for (_, given) in
                run.units_of(plan.node(step, key)).filter_map(|unit| self.links.0.get_key_value(&UnitIx(unit)))
            {
                found.extend(given.iter().map(|(name, at)| (spec.name.as_str(), &**name, &**at)));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_open_are_links() {
        let given =
            read(r#"{"a":"https://x.example/1","b":"javascript:alert(1)","c":"http://x y","d":7,"e":"see https://x"}"#);
        assert_eq!(given.len(), 1);
        assert_eq!((&*given[0].0, &*given[0].1), ("a", "https://x.example/1"));
    }
}
