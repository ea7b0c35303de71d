//! A catalogue, a runbook, an estate and a list of sites that fit together.

use engine::{ActionSpec, Holds};
use serde_json::{Value, json};

fn action(uses: &str, input: Value, output: Value, idempotent: Holds) -> ActionSpec {
    ActionSpec {
        uses: uses.into(),
        summary: format!("does {uses}"),
        input,
        output,
        idempotent,
        has_probe: Holds::Never,
        read_only: false,
    }
}

/// The actions that the fixtures use.
pub fn catalogue() -> Vec<ActionSpec> {
    let open = json!({"type": "object", "additionalProperties": true});
    vec![
        action(
            "noop@1",
            json!({"type": "object", "properties": {}, "additionalProperties": false}),
            json!({"type": "object"}),
            Holds::Always,
        ),
        ActionSpec {
            read_only: true,
            ..action(
                "catalogue/lookup@1",
                json!({"type": "object", "properties": {"id": {"type": "string"}}, "additionalProperties": false}),
                json!({"type": "object", "properties": {"kind": {"type": "string"}, "state": {"type": "string"}}}),
                Holds::Always,
            )
        },
        action(
            "http/request@1",
            json!({
                "type": "object",
                "properties": {
                    "method": {"type": "string", "enum": ["GET", "POST", "PUT", "DELETE"]},
                    "url": {"type": "string"},
                    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                    "body": {},
                    "idempotent": {"type": "boolean"},
                    "retries": {"type": "integer", "minimum": 0, "maximum": 9},
                    "expect_status": {"type": "array", "items": {"type": "integer"}},
                    "poll": {"$ref": "#/$defs/Poll"}
                },
                "required": ["method", "url"],
                "additionalProperties": false,
                "$defs": {"Poll": {"anyOf": [{"type": "object", "properties": {"every": {"type": "string"}}, "required": ["every"], "additionalProperties": false}, {"type": "null"}]}}
            }),
            json!({"type": "object", "properties": {"status": {"type": "integer"}, "body": {}, "url": {"type": "string"}}}),
            Holds::WhenInput("idempotent".into()),
        ),
        action(
            "postgres/recover@1",
            json!({"type": "object", "properties": {"backup": {"type": "string"}, "at": {"type": "string"}}, "required": ["backup", "at"], "additionalProperties": false}),
            json!({"type": "object", "properties": {"url": {"type": "string"}, "tables": {"type": "array"}}}),
            Holds::Always,
        ),
        action(
            "postgres/restore@1",
            json!({"type": "object", "properties": {"from": {"type": "string"}, "to": {"type": "string"}, "schema": {"type": "string"}, "tenant": {"type": "string"}}, "required": ["from", "to", "tenant"], "additionalProperties": false}),
            json!({"type": "object", "properties": {"rows": {"type": "integer"}}}),
            Holds::Always,
        ),
        action("identity/sync@1", open.clone(), open.clone(), Holds::Always),
        action(
            "objects/copy@1",
            open.clone(),
            json!({"type": "object", "properties": {"objects": {"type": "integer"}, "moved": {"type": "boolean"}, "names": {"type": "array"}}}),
            Holds::Always,
        ),
        action(
            "exec/run@1",
            json!({"type": "object", "properties": {"command": {"type": "array", "items": {"type": "string"}}, "env": {"type": "object", "additionalProperties": {"type": "string"}}}, "required": ["command"], "additionalProperties": false}),
            open.clone(),
            Holds::Never,
        ),
        action("check/site@1", open.clone(), open, Holds::Always),
    ]
}

/// A runbook that uses most of the language and has no finding.
pub const RUNBOOK: &str = r#"# yaml-language-server: $schema=./runbook-v1.schema.json
schema: runbook/v1
name: restoration-2
description: Undelete sites with their original IDs.
inputs:
  margin: { type: duration, default: 5m, description: safe distance before the deletion }
  region: { type: string, default: eu }
targets:
  kind: site
  id: ^site-[0-9]{6}$
  attributes:
    shard: string
    region: string
    products: list<string>
    users: integer
    apps: boolean
    deleted_at: timestamp
  scopes: { shard: site.shard, region: site.region }
  order_by: [-site.users]
  verify: { uses: catalogue/lookup@1, with: { id: "${{ site.id }}" }, expect: { kind: site, state: deleted } }
ids: original
restore_point: { before: site.deleted_at, margin: "${{ inputs.margin }}", align: shard, max_loss: 1h }
objectives: { rto: 6h, rpo: 1h }
pools:
  shard_writes: { per: shard, slots: 4 }
  identity_api: { slots: 32, rate: 200/s }
batches:
  sizes: [1, 10, 10%, rest]
  max_failures: [0, 0, 2%, 2%]
  on_exceeded: pause
  soak: 30s
defaults: { scope: site, timeout: 30m, retry: { attempts: 3, backoff: exponential, delay: 1s, max_delay: 1m } }
steps:
  recover:     { scope: shard, front_load: true, uses: postgres/recover@1, with: { backup: "${{ estate.backups[shard] }}", at: "${{ restore_point }}" }, expect: 20m }
  catalogue:   { uses: http/request@1, with: { method: POST, url: "${{ estate.catalogue }}/sites/${{ site.id }}/undelete", headers: { Authorization: "Bearer ${{ secrets.api }}" }, idempotent: true } }
  identity:    { needs: catalogue, pool: identity_api, uses: identity/sync@1 }
  databases:
    needs: [catalogue, recover]
    for_each: site.products
    pool: shard_writes
    uses: postgres/restore@1
    with: { from: "${{ steps.recover.outputs.url }}", to: "${{ estate.shards[site.shard] }}", schema: "${{ item }}", tenant: "${{ site.id }}" }
  media:       { needs: catalogue, uses: objects/copy@1, on_failure: degrade, expect: [1m, 5m] }
  apps:        { needs: [identity, databases], if: site.apps, retry: { attempts: 1 }, uses: exec/run@1, with: { command: ["./apps.sh", "${{ site.id }}"] } }
  indexed:     { needs: media, if: "steps.media.outputs.moved", for_each: steps.media.outputs.names, uses: check/site@1, with: { name: "${{ item }}", batch: "${{ batch.number }}" } }
  validate:    { needs: [apps, media, { step: indexed, require: all }], uses: check/site@1, on_failure: quarantine }
  bystanders:  { scope: shard, needs: databases, uses: check/site@1 }
  drop:        { scope: shard, needs: [validate, bystanders], uses: check/site@1 }
"#;

/// The estate of the runbook.
pub const ESTATE: &str = r"schema: estate/v1
name: lab
sandbox: true
variables:
  catalogue: http://localhost:1
  backups: { a: /backups/a, b: /backups/b }
  shards: { a: db-a, b: db-b }
secrets: { api: env:API_TOKEN }
";

/// Three sites of the runbook.
pub const SITES: &str = "id,shard,region,products,users,apps,deleted_at
site-000001,a,eu,jira;wiki,10,true,2022-04-05T07:38:00Z
site-000002,b,us,jira,500,false,2022-04-05T07:50:00Z
site-000003,a,eu,,20,true,2022-04-05T07:45:00Z
";
