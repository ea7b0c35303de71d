//! What `init` writes: a runbook to start from.

/// Name of the schema's file, which the first line of a runbook refers to.
pub const SCHEMA_FILE: &str = "runbook-v1.schema.json";

/// Returns a commented runbook of that name; characters that a name cannot have become `-`.
#[must_use]
pub fn init_template(name: &str) -> String {
    let mut clean: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).take(64).collect();
    if !crate::words::is_name(&clean) {
        clean = "my-restore".into();
    }
    TEMPLATE.replace("NAME", &clean).replace("SCHEMA", SCHEMA_FILE)
}

const TEMPLATE: &str = r#"# yaml-language-server: $schema=./SCHEMA
#
# Purpose:        say what this restores, and when to use it.
# Preconditions:  what must be true before it is run.
# Blast radius:   what it may change, and what it never touches.
schema: runbook/v1
name: NAME
description: Put deleted sites back under their original IDs.

inputs:
  margin: { type: duration, default: 5m, description: safe distance before the deletion }

targets:
  kind: site
  id: ^[0-9a-f-]{36}$              # every ID of the list must match this
  attributes:                      # the columns of the list, next to `id`
    shard: string
    deleted_at: timestamp
  scopes: { shard: site.shard }    # steps may run once per shard; run, batch and site are built in

restore_point: { before: site.deleted_at, margin: "${{ inputs.margin }}", align: shard, max_loss: 1h }
objectives: { rto: 6h, rpo: 1h }

pools:
  shard_writes: { per: shard, slots: 4 }   # at most four at once for each shard

batches:
  sizes: [1, 10%, rest]            # one site first, then more
  max_failures: [0, 2%, 2%]        # a batch with more quarantined sites pauses the run
  # A person opens each batch after the first; the groups of people stand in the estate under `approvers`:
  # gate: { approval: { from: [dr-leads], timeout: 4h, on_timeout: reject } }

defaults: { timeout: 10m, retry: { attempts: 3, delay: 1s, max_delay: 1m } }

steps:                             # only `needs` orders them
  recover:                         # long shared work first: once per shard
    scope: shard
    front_load: true
    uses: noop@1                   # replace by an action; `reinstate schema` lists them

  restore:                         # without `scope`: once per site
    needs: recover
    pool: shard_writes
    uses: noop@1

  validate:
    needs: restore
    uses: noop@1
    on_failure: quarantine         # this site is out, the others go on

  # An effect that can be taken back, if a later step with `on_failure: undo` fails or somebody asks for it.
  # catalogue:
  #   needs: recover
  #   uses: http/request@1
  #   with: { method: POST, url: "${{ estate.catalogue }}/sites/${{ site.id }}/undelete" }
  #   undo:
  #     uses: http/request@1
  #     with: { method: POST, url: "${{ estate.catalogue }}/sites/${{ site.id }}/delete" }

  # A decision: who may give it, and what happens if nobody does (`reject` or `pause`, never approve).
  # customer:
  #   needs: validate
  #   approval: { from: [support], min: 1, timeout: 72h, on_timeout: reject }

# What runs when everything else has settled, whatever happened:
# finally:
#   announce:
#     scope: run
#     uses: noop@1
"#;
