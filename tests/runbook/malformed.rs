//! At least a thousand malformed runbooks and lists of sites, always the same ones.

use crate::fixture;

/// What a malformed text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A runbook.
    Runbook,
    /// A list of sites as CSV.
    Csv,
    /// A list of sites as JSON.
    Json,
}

/// A malformed text with a name for messages.
#[derive(Clone, Debug)]
pub struct Case {
    /// What was done to it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The text.
    pub text: String,
}

/// Returns all cases; each must give at least one error with place and hint.
pub fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    runbooks(&mut all);
    csv(&mut all);
    json(&mut all);
    all
}

fn runbooks(all: &mut Vec<Case>) {
    let text = fixture::RUNBOOK;
    let lines: Vec<&str> = text.lines().collect();
    let mut push = |name: String, text: String| all.push(Case { name, kind: Kind::Runbook, text });
    for (ix, line) in lines.iter().enumerate().skip(1) {
        let replaced = |new: &str| {
            let mut copy: Vec<&str> = lines.clone();
            copy[ix] = new;
            copy.join("\n")
        };
        if let Some((key, rest)) = line.split_once(':') {
            push(
                format!("line {ix}: letter doubled in the key"),
                replaced(&format!("{key}{}zz:{rest}", &key[key.len() - 1..])).replace("zz:", "_zz_unknown?:"),
            );
            push(format!("line {ix}: key twice"), replaced(&format!("{line}\n{line}")));
            push(format!("line {ix}: colon lost"), replaced(&format!("{key} {rest}")));
        }
        push(format!("line {ix}: tab"), replaced(&format!("\t{line}")));
        if !line.starts_with("description") {
            push(format!("line {ix}: open brace"), replaced(&format!("{line} {{")));
        }
        push(format!("line {ix}: anchor"), replaced(&format!("{line}\n&anchor x: 1")));
        push(format!("line {ix}: nul"), replaced(&format!("{line}\0")));
        push(format!("line {ix}: stray key"), replaced(&format!("{line}\nstray_{ix}: 1")));
    }
    let words = [
        ("runbook/v1", "runbook/v9"),
        ("type: duration", "type: durations"),
        ("default: 5m", "default: 5"),
        ("kind: site", "kind: [a]"),
        ("^site-", "^(site-"),
        ("shard: string", "shard: text"),
        ("users: integer", "users: int"),
        ("{ shard: site.shard", "{ run: site.shard"),
        ("-site.users", "-site.user"),
        ("-site.users", "users"),
        ("catalogue/lookup@1", "catalogue/lookup@2"),
        ("state: deleted", "status: deleted"),
        ("before: site.deleted_at", "before: site.users"),
        ("align: shard", "align: shards"),
        ("max_loss: 1h", "max_loss: 1"),
        ("rto: 6h", "rto: 0s"),
        ("slots: 4", "slots: 0"),
        ("slots: 32", "slots: many"),
        ("200/s", "200/d"),
        ("per: shard", "per: rack"),
        ("[1, 10, 10%, rest]", "[1, rest, 10%]"),
        ("[1, 10, 10%, rest]", "[0]"),
        ("[1, 10, 10%, rest]", "[]"),
        ("[0, 0, 2%, 2%]", "[0, 0]"),
        ("on_exceeded: pause", "on_exceeded: stop"),
        ("soak: 30s", "soak: 30"),
        ("timeout: 30m, ", ""),
        ("attempts: 3", "attempts: 0"),
        ("backoff: exponential", "backoff: fast"),
        ("scope: shard, front_load", "scope: shards, front_load"),
        ("front_load: true", "front_load: yes"),
        ("postgres/recover@1", "postgres/recovery@1"),
        ("backup:", "backups:"),
        ("estate.backups[shard]", "estate.backups[shard"),
        ("${{ restore_point }}", "${{ restore_point"),
        ("estate.backups[shard]", "estate.backups[site.shard]"),
        ("method: POST", "method: SEND"),
        ("method: POST, ", ""),
        ("site.id }}/undelete", "site.idd }}/undelete"),
        ("secrets.api", "secret.api"),
        ("Bearer ${{ secrets.api }}", "Bearer abc"),
        ("idempotent: true", "idempotent: 'true'"),
        (", idempotent: true", ""),
        ("needs: catalogue, pool", "needs: catalog, pool"),
        ("pool: identity_api", "pool: identity"),
        ("pool: identity_api", "pool: { identity_api: 33 }"),
        ("for_each: site.products", "for_each: site.users"),
        ("for_each: site.products", "for_each: site.product"),
        ("steps.recover.outputs.url", "steps.recover.outputs.uri"),
        ("steps.recover.outputs.url", "steps.recover.output.url"),
        ("steps.recover.outputs.url", "steps.validate.outputs.url"),
        ("on_failure: degrade", "on_failure: ignore"),
        ("on_failure: degrade", "on_failure: undo"),
        ("[1m, 5m]", "[5m, 1m]"),
        ("[1m, 5m]", "[1m]"),
        ("if: site.apps", "if: site.users"),
        ("if: site.apps", "if: site.apps + 1"),
        ("retry: { attempts: 1 }, ", ""),
        ("needs: [apps, media", "needs: [apps, apps, media"),
        ("needs: [apps, media", "needs: [validate, media"),
        ("require: all", "require: some"),
        ("${{ batch.number }}", "${{ batch.size }}"),
        ("ids: original", "ids: renamed"),
        ("needs: databases", "needs: drop"),
        ("name: restoration-2", "name: 'a b'"),
        ("needs: media, if", "needs: bystanders, if"),
        ("site.users]", "site.users, 3]"),
        ("{ shard: site.shard", "{ shard: site.users"),
        ("item }}\", tenant", "item.x }}\", tenant"),
    ];
    for (from, to) in words {
        assert!(text.contains(from), "{from}");
        push(format!("`{from}` -> `{to}`"), text.replacen(from, to, 1));
    }
    // Cut anywhere, a text in mid-expression or mid-brace is malformed; at ends of lines it may be a whole runbook.
    let start = text.find("\nsteps:").unwrap_or(0);
    for at in (20..start).step_by(5).filter(|&at| text.is_char_boundary(at)) {
        push(format!("cut at {at}"), text[..at].to_owned());
    }
}

fn csv(all: &mut Vec<Case>) {
    let good: Vec<String> = fixture::SITES.lines().map(str::to_owned).collect();
    let mut push = |name: String, text: String| all.push(Case { name, kind: Kind::Csv, text });
    let bad: [(usize, &[&str]); 4] = [
        (0, &["", "app-000001", "site-1", "SITE-000001", "site-000001 x", "site-000002"]),
        (4, &["", "ten", "1.5", "99999999999999999999", "1 000"]),
        (5, &["", "yes", "TRUE", "1", "wahr"]),
        (6, &["", "yesterday", "2022-04-05", "2022-13-05T00:00:00Z", "2022-04-05T07:38:00", "1649144280"]),
    ];
    for row in 1..good.len() {
        for (field, values) in bad {
            for value in values {
                let mut fields: Vec<&str> = good[row].split(',').collect();
                if fields[0] == *value {
                    continue;
                }
                fields[field] = value;
                let mut lines = good.clone();
                lines[row] = fields.join(",");
                push(format!("row {row}, field {field}: `{value}`"), lines.join("\n"));
            }
        }
        for field in 0..7 {
            let mut fields: Vec<&str> = good[row].split(',').collect();
            fields.remove(field);
            let mut lines = good.clone();
            lines[row] = fields.join(",");
            push(format!("row {row}: field {field} lost"), lines.join("\n"));
        }
        let mut lines = good.clone();
        lines.push(good[row].clone());
        push(format!("row {row} twice"), lines.join("\n"));
    }
    for field in 0..7 {
        for (what, change) in [("x", "renamed"), ("", "emptied"), ("id", "id twice")] {
            let mut names: Vec<&str> = good[0].split(',').collect();
            if names[field] == what {
                continue;
            }
            names[field] = what;
            let mut lines = good.clone();
            lines[0] = names.join(",");
            push(format!("column {field} {change}"), lines.join("\n"));
        }
    }
    for (name, text) in [
        ("empty", ""),
        ("blank", "\n\n \n"),
        ("header only", good[0].as_str()),
        ("no header", good[1].as_str()),
        ("prose", "please restore site 1"),
    ] {
        push(name.into(), text.into());
    }
    push("open quote".into(), format!("{}\n\"site-000001,a,eu,,1,true,2022-04-05T07:38:00Z", good[0]));
}

fn json(all: &mut Vec<Case>) {
    let good = r#"[{"id": "site-000001", "shard": "a", "region": "eu", "products": ["jira"], "users": 1, "apps": true, "deleted_at": "2022-04-05T07:38:00Z"}]"#;
    let mut push = |name: String, text: String| all.push(Case { name, kind: Kind::Json, text });
    for at in 0..good.len() {
        push(format!("cut at {at}"), good[..at].to_owned());
    }
    for (at, c) in good.char_indices().filter(|(_, c)| "[]{}:,\"".contains(*c)) {
        push(format!("`{c}` at {at} lost"), format!("{}{}", &good[..at], &good[at + 1..]));
        push(format!("`{c}` at {at} twice"), format!("{}{c}{}", &good[..at], &good[at..]));
    }
    for name in ["id", "shard", "region", "products", "users", "apps", "deleted_at"] {
        push(format!("`{name}` misspelt"), good.replacen(&format!("\"{name}\""), &format!("\"{name}s\""), 1));
        for value in ["null", "{}", "[1]", "12.5", "\"\\u0000\""] {
            let at = good.find(&format!("\"{name}\": ")).map_or(0, |at| at + name.len() + 4);
            let end = if name == "products" { at + 8 } else { at + good[at..].find([',', '}']).unwrap_or(0) };
            let fine = matches!((name, value), ("shard" | "region", "\"\\u0000\""));
            if !fine {
                push(format!("`{name}`: {value}"), format!("{}{value}{}", &good[..at], &good[end..]));
            }
        }
    }
}
