//! Hosts of a network of their own: network namespaces that one bridge joins, each with an address.
//!
//! None has a name that others see: a namespace is there for as long as the process that holds it, which reads a pipe whose
//! other end closes when this process ends, however. So nothing is left, and tests run beside each other.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The network of [`Host::address`].
pub const NETWORK: &str = "10.77.0.0/16";

/// A network namespace.
struct Space {
    holder: Child,
}

impl Space {
    fn new() -> Result<Self, String> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "sh", "-c", "echo made; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = unshare.stderr(Stdio::null()).spawn().map_err(|error| format!("unshare: {error}"))?;
        let mut line = String::new();
        let said = BufReader::new(holder.stdout.take().expect("a pipe")).read_line(&mut line);
        let space = Self { holder };
        match said {
            Ok(_) if line == "made\n" => Ok(space),
            _ => Err("this host gives no network namespaces to a test".into()),
        }
    }

    fn enter(&self) -> Vec<String> {
        vec!["nsenter".into(), format!("--net=/proc/{}/ns/net", self.holder.id())]
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// The bridge, and how many hosts are at it.
pub struct Network {
    bridge: Space,
    hosts: u32,
}

/// A host. Its processes see its loopback interface, and the other hosts.
pub struct Host {
    space: Space,
    /// Command that enters the bridge's namespace.
    bridge: Vec<String>,
    port: String,
    pub address: String,
}

impl Network {
    /// Makes a network without hosts; `None`, with the reason told, where a test may not have one.
    pub fn new() -> Option<Self> {
        let made = Space::new().and_then(|bridge| {
            try_ip(&bridge.enter(), "link add bridge type bridge")?;
            try_ip(&bridge.enter(), "link set bridge up")?;
            Ok(Self { bridge, hosts: 0 })
        });
        match made {
            Ok(network) => Some(network),
            Err(why) => {
                eprintln!("skipped: no network of its own, which takes root and iproute2: {why}");
                None
            }
        }
    }

    pub fn host(&mut self) -> Host {
        let space = Space::new().expect("there is one for the bridge");
        self.hosts += 1;
        // Hours of restarts take more hosts than one byte counts.
        let [high, low] = u16::try_from(self.hosts).expect("no test starts so many").to_be_bytes();
        let (port, address) = (format!("port{}", self.hosts), format!("10.77.{high}.{low}"));
        let host = Host { bridge: self.bridge.enter(), space, port, address };
        let (port, holder) = (&host.port, host.space.holder.id());
        ip(&host.bridge, &format!("link add {port} type veth peer name eth0 netns {holder}"));
        ip(&host.bridge, &format!("link set {port} master bridge up"));
        ip(&host.enter(), "link set lo up");
        ip(&host.enter(), &format!("addr add {}/16 dev eth0", host.address));
        ip(&host.enter(), "link set eth0 up");
        host
    }
}

impl Host {
    /// What stands before a command that is to run here.
    pub fn enter(&self) -> Vec<String> {
        self.space.enter()
    }

    /// The same command, here. Its process ID is that of the program.
    pub fn inside(&self, command: &Command) -> Command {
        let enter = self.enter();
        let mut inside = Command::new(&enter[0]);
        inside.args(&enter[1..]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        inside
    }

    /// Ends everything that runs here, at once.
    pub fn crash(&self) {
        let here = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let holder = self.space.holder.id();
        let space = here(&holder);
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let ours: Vec<u32> = pids.filter(|pid| *pid != holder && here(pid) == space).collect();
        // Some have ended meanwhile.
        let pids = ours.iter().map(u32::to_string);
        let _ = Command::new("kill").arg("-KILL").args(pids).stderr(Stdio::null()).status();
    }

    /// Takes it off the network; whoever sends hears nothing.
    pub fn cut(&self) {
        ip(&self.bridge, &format!("link set {} down", self.port));
    }

    pub fn mend(&self) {
        ip(&self.bridge, &format!("link set {} up", self.port));
    }

    /// What it sends to another host is lost from now on; it hears of it all the same.
    pub fn lose_to(&self, other: &Host) {
        let nobody = "lladdr 02:00:00:00:00:ff nud permanent";
        ip(&self.enter(), &format!("neigh replace {} dev eth0 {nobody}", other.address));
    }

    /// What it sends to another host gets there again, if it was lost.
    pub fn find(&self, other: &Host) {
        let _ = try_ip(&self.enter(), &format!("neigh del {} dev eth0", other.address));
    }

    /// Takes the place of another host, which is cut off: its address, and the one of its interface, so that nobody has to look.
    pub fn replace(&mut self, other: &Host) {
        other.cut();
        ip(&self.enter(), "link set eth0 down");
        ip(&self.enter(), &format!("link set eth0 address {}", other.interface()));
        ip(&self.enter(), "addr flush dev eth0");
        ip(&self.enter(), &format!("addr add {}/16 dev eth0", other.address));
        ip(&self.enter(), "link set eth0 up");
        self.address.clone_from(&other.address);
    }

    fn interface(&self) -> String {
        let enter = self.enter();
        let said =
            Command::new(&enter[0]).args(&enter[1..]).args(["ip", "-json", "link", "show", "dev", "eth0"]).output();
        let said: serde_json::Value = serde_json::from_slice(&said.unwrap().stdout).unwrap();
        said[0]["address"].as_str().unwrap().to_owned()
    }
}

fn ip(enter: &[String], words: &str) {
    try_ip(enter, words).unwrap_or_else(|why| panic!("{why}"));
}

fn try_ip(enter: &[String], words: &str) -> Result<(), String> {
    let said = Command::new(&enter[0]).args(&enter[1..]).arg("ip").args(words.split(' ')).output();
    let said = said.map_err(|error| format!("nsenter: {error}"))?;
    if said.status.success() { Ok(()) } else { Err(format!("ip {words}: {}", String::from_utf8_lossy(&said.stderr))) }
}
