//! The settings of a throw-away server: alone, silent, read-only, and exact about where it stops.

use std::path::Path;

use super::programs::Control;
use super::target::Target;

/// What differs from instance to instance.
pub(super) struct Settings<'s> {
    pub(super) socket: &'s Path,
    pub(super) port: u16,
    /// Where the replay stops; `None` if it goes as far as WAL is let through to it.
    pub(super) target: Option<&'s Target>,
    pub(super) restore_command: &'s str,
    pub(super) timeline: &'s str,
    pub(super) shared_buffers: &'s str,
    pub(super) preload: &'s str,
    pub(super) control: &'s Control,
}

/// Whom the server lets in: whoever may enter the socket's folder.
pub(super) const HBA: &str = "local all all trust\n";

impl Settings<'_> {
    /// Writes `postgresql.conf`, of which nothing is the live server's.
    pub(super) fn text(&self) -> String {
        let mut text = "# Of a throw-away instance of reinstate.\n".to_owned();
        let mut set = |name: &str, value: &str| {
            let value = value.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n");
            text.push_str(&format!("{name} = '{value}'\n"));
        };
        // One private door.
        set("listen_addresses", "");
        set("unix_socket_directories", &format!("\"{}\"", self.socket.display().to_string().replace('"', "\"\"")));
        set("unix_socket_permissions", "0700");
        set("port", &self.port.to_string());
        set("ssl", "off");
        // Nothing that the live server runs beside its data runs here.
        set("shared_preload_libraries", self.preload);
        for name in ["session_preload_libraries", "local_preload_libraries"] {
            set(name, "");
        }
        set("archive_mode", "off");
        set("max_logical_replication_workers", "0");
        for name in ["primary_conninfo", "primary_slot_name", "archive_cleanup_command", "recovery_end_command"] {
            set(name, "");
        }
        // Where it stops.
        set("hot_standby", "on");
        set("restore_command", self.restore_command);
        match self.target {
            Some(target) => {
                for (name, value) in target.settings() {
                    set(name, &value);
                }
                set("recovery_target_action", "pause");
                set("recovery_target_timeline", self.timeline);
            }
            None => {
                // How soon it looks again for what was let through.
                set("wal_retrieve_retry_interval", "50ms");
                set("recovery_target_timeline", "current");
            }
        }
        // A server that dies loses nothing by this; a host that dies does, and then the copy is made anew.
        set("fsync", "off");
        set("full_page_writes", "off");
        set("synchronous_commit", "off");
        // Restartpoints are written soon and without a rush: each stop has little left to write, each start little
        // to replay again.
        set("checkpoint_timeout", "30s");
        set("max_wal_size", "1GB");
        set("wal_recycle", "off");
        set("shared_buffers", self.shared_buffers);
        set("huge_pages", "off");
        for (name, floor) in &self.control.floors {
            set(name, &floor.max(&default(name)).to_string());
        }
        // Texts and times that are read again.
        set("logging_collector", "off");
        set("log_destination", "stderr");
        set("log_min_messages", "warning");
        set("log_line_prefix", "%m [%p] ");
        set("lc_messages", "C");
        set("log_timezone", "UTC");
        set("timezone", "UTC");
        text
    }
}

/// The server's own defaults of what a hot standby needs no less of than the live server.
fn default(name: &str) -> u64 {
    match name {
        "max_connections" => 100,
        "max_worker_processes" => 8,
        "max_locks_per_transaction" => 64,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Control, Settings, Target};
    use crate::postgres::recover::place::point;

    #[test]
    fn texts_are_quoted_and_floors_kept() {
        let control = Control {
            system_identifier: "1".into(),
            segment: 1,
            floors: vec![("max_connections", 500), ("max_worker_processes", 2)],
        };
        let text = Settings {
            socket: Path::new("/it's, here"),
            port: 7,
            target: Some(&Target::Time(point("2022-04-05T09:33:00.1234567+02:00").expect("a time"))),
            restore_command: "cp 'a\\b/%f' \"%p\"",
            timeline: "latest",
            shared_buffers: "1MB",
            preload: "",
            control: &control,
        }
        .text();
        for line in [
            "unix_socket_directories = '\"/it''s, here\"'",
            "restore_command = 'cp ''a\\\\b/%f'' \"%p\"'",
            "recovery_target_time = '2022-04-05 07:33:00.123456+00'",
            "recovery_target_inclusive = 'true'",
            "max_connections = '500'",
            "max_worker_processes = '8'",
            "listen_addresses = ''",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
