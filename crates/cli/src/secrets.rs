//! Values of secrets, read from where the estate says, at the moment of use.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use runtime::SecretSource;
use secrecy::SecretString;

/// Longest time that a `command:` reference may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads `env:`, `file:` and `command:` references.
pub(crate) struct References {
    by_name: BTreeMap<String, String>,
}

impl References {
    /// Takes the references of a stored plan's estate.
    pub(crate) fn of_plan(plan: &engine::Plan) -> Self {
        let estate: serde_json::Value = serde_json::from_str(&plan.spec().estate).unwrap_or_default();
        let secrets = estate.get("secrets").and_then(|secrets| secrets.as_object()).cloned().unwrap_or_default();
        let by_name =
            secrets.into_iter().filter_map(|(name, reference)| Some((name, reference.as_str()?.to_owned()))).collect();
        Self::of(by_name)
    }

    /// Takes references by name.
    pub(crate) fn of(by_name: BTreeMap<String, String>) -> Self {
        Self { by_name }
    }
}

#[async_trait::async_trait]
impl SecretSource for References {
    async fn read(&self, name: &str) -> Result<SecretString, String> {
        let reference = self.by_name.get(name).ok_or("no such secret is declared")?;
        let (kind, rest) = reference.split_once(':').ok_or("its reference has no kind")?;
        let value = match kind {
            "env" => std::env::var(rest).map_err(|_| format!("environment variable {rest} is not set"))?,
            "file" => {
                let path = PathBuf::from(rest);
                tokio::fs::read_to_string(&path).await.map_err(|error| format!("{}: {error}", path.display()))?
            }
            "command" => run(rest).await?,
            kind => return Err(format!("references of kind {kind} are not known")),
        };
        Ok(SecretString::from(value.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn reference(&self, name: &str) -> Option<String> {
        self.by_name.get(name).cloned()
    }
}

async fn run(command: &str) -> Result<String, String> {
    let mut shell = tokio::process::Command::new("sh");
    shell.arg("-c").arg(command).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_TIMEOUT, shell.output())
        .await
        .map_err(|_| format!("its command took longer than {} s", COMMAND_TIMEOUT.as_secs()))?
        .map_err(|error| format!("its command cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("its command ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| "its command printed something that is not text".to_owned())
}
