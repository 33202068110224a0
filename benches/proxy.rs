//! What the recorder costs: `pgbench -S` with prepared statements, directly,
//! through pgbouncer in session mode, and through the recorder with recording
//! on, in turns in one run, on a throwaway server.
//!
//! Only ratios within a round are compared: a single run's throughput says
//! little on a busy machine.
//!
//! ```text
//! cargo bench --bench proxy                          the ratios
//! cargo bench --bench proxy -- --rounds 11 --seconds 3 --clients 16
//! cargo bench --bench proxy -- --new-backends        pgbouncer keeps no session of the server for the next run
//! cargo bench --bench proxy -- --statements 10000000  memory and trace size of one long run
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and ends where it cannot go on"
)]

use plimsoll::model::Quiet;
use plimsoll::postgres::{Target, ThrowawayOptions};
use plimsoll::proxy::{Destination, Options, Recorder, ServerUrl};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SCALE: &str = "5";
/// Statements between two Syncs of the long run.
const PIPELINE: u64 = 100;
/// Clients of the long run.
const LONG_RUN_CLIENTS: u64 = 8;

/// What the command line asks for.
struct Plan {
    rounds: usize,
    seconds: String,
    clients: Vec<String>,
    /// Without it pgbouncer hands a run the sessions of the one before, whose backends are warm, while the
    /// recorder opens a session for each client.
    has_new_backends: bool,
    /// Statements of the long run, which then replaces the comparison.
    statements: Option<u64>,
}

impl Plan {
    /// Cargo adds `--bench`, which says nothing here.
    fn from_arguments() -> Self {
        let mut plan = Self {
            rounds: 5,
            seconds: "2".into(),
            clients: vec!["1".into(), "16".into()],
            has_new_backends: false,
            statements: None,
        };
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--rounds" => plan.rounds = value().parse().unwrap(),
                "--seconds" => plan.seconds = value(),
                "--clients" => plan.clients = value().split(',').map(str::to_owned).collect(),
                "--new-backends" => plan.has_new_backends = true,
                "--statements" => plan.statements = Some(value().parse().unwrap()),
                _ => panic!("{word} is none of --rounds, --seconds, --clients, --new-backends, --statements"),
            }
        }
        plan
    }
}

/// One way to the server.
struct Way {
    name: &'static str,
    host: String,
    port: u16,
    /// The process to account to; none where there is nobody in between.
    pid: Option<u32>,
}

/// One run's figures.
#[derive(Clone, Copy)]
struct Run {
    transactions_per_s: f64,
    latency_us: f64,
    /// CPU of whoever is in between, per transaction.
    cpu_us: f64,
}

fn main() {
    let plan = Plan::from_arguments();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = ThrowawayOptions { search_path: std::env::var_os("PATH"), ..ThrowawayOptions::default() };
    let target = runtime.block_on(Target::throwaway(&options, &Quiet)).unwrap();
    let url = target.url_for(target.database());
    let parsed = ServerUrl::parse(&url).unwrap();
    let (host, port) = parsed.hosts[0].clone();
    let direct = Way { name: "direct", host, port, pid: None };
    pgbench(&direct, &parsed, &["-i", "-q", "-s", SCALE]);

    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("bench.trace");
    let mut recording = Options::new(&url, 1);
    recording.destination = Destination::File(trace.clone());
    let recorder = Recorder::start(&recording).unwrap();
    let address = recorder.address();
    let recorder_way = Way {
        name: "plimsoll",
        host: address.ip().to_string(),
        port: address.port(),
        pid: Some(std::process::id()),
    };
    match plan.statements {
        Some(statements) => long_run(statements, directory.path(), &recorder_way, &parsed),
        None => take_turns(&plan, directory.path(), &direct, &recorder_way, &parsed),
    }
    let recording = recorder.stop().unwrap();
    println!(
        "stalls {}, bursts {:?}, losses {:?}",
        recording.stalls, recording.bursts, recording.trace.losses
    );
    if let Some(statements) = plan.statements {
        let bytes = std::fs::metadata(&trace).unwrap().len();
        println!(
            "trace {:.1} MB, {:.1} bytes a statement",
            bytes as f64 / 1e6,
            bytes as f64 / statements as f64
        );
    }
    runtime.block_on(target.close()).unwrap();
}

/// Statements in pipelines, as many as the server answers: memory must not follow their number.
fn long_run(statements: u64, directory: &Path, recorder: &Way, url: &ServerUrl) {
    let script = directory.join("pipeline.sql");
    let body: String = (0..PIPELINE)
        .map(|_| "\\set aid random(1, 500000)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n")
        .collect();
    std::fs::write(&script, format!("\\startpipeline\n{body}\\endpipeline\n")).unwrap();
    let transactions = statements.div_ceil(PIPELINE * LONG_RUN_CLIENTS);
    let run = |transactions: u64| {
        let (clients, transactions) = (LONG_RUN_CLIENTS.to_string(), transactions.to_string());
        let file = script.to_str().unwrap();
        let arguments = ["-n", "-M", "prepared", "-c", &clients, "-j", "1", "-t", &transactions, "-f", file];
        pgbench(recorder, url, &arguments);
    };
    run(transactions.div_ceil(100));
    let early = peak_memory_mb();
    let before = cpu_us(std::process::id());
    run(transactions);
    let cpu = (cpu_us(std::process::id()) - before) / statements as f64;
    println!("{statements} statements in pipelines of {PIPELINE}, {LONG_RUN_CLIENTS} clients");
    println!(
        "  peak memory MB, after one statement in a hundred {early:.1}, at the end {:.1}",
        peak_memory_mb()
    );
    println!("  CPU us per statement                {cpu:.2}");
}

/// The most memory this process ever had, in MB.
fn peak_memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn take_turns(plan: &Plan, directory: &Path, direct: &Way, recorder: &Way, url: &ServerUrl) {
    let (bouncer_way, bouncer) = match pgbouncer(plan, directory, direct, url) {
        Some((way, child)) => (Some(way), Some(child)),
        None => {
            println!("pgbouncer is not installed: its column is left out");
            (None, None)
        }
    };
    for clients in &plan.clients {
        compare(plan, clients, direct, bouncer_way.as_ref(), recorder, url);
    }
    if let Some(mut child) = bouncer {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn compare(plan: &Plan, clients: &str, direct: &Way, bouncer: Option<&Way>, recorder: &Way, url: &ServerUrl) {
    let measure = |way: &Way| measure(way, clients, &plan.seconds, url);
    let mut against_direct = Vec::new();
    let mut against_bouncer = Vec::new();
    let mut cpu_against_bouncer = Vec::new();
    let mut cpu = (Vec::new(), Vec::new());
    let mut added = (Vec::new(), Vec::new());
    for round in 0..plan.rounds {
        let plain = measure(direct);
        // Who comes first gains or loses by what ran before: they take turns.
        let (peer, ours) = if round % 2 == 0 {
            let peer = bouncer.map(measure);
            (peer, measure(recorder))
        } else {
            let ours = measure(recorder);
            (bouncer.map(measure), ours)
        };
        against_direct.push(ours.transactions_per_s / plain.transactions_per_s);
        cpu.1.push(ours.cpu_us);
        added.1.push(ours.latency_us - plain.latency_us);
        if let Some(peer) = peer {
            against_bouncer.push(ours.transactions_per_s / peer.transactions_per_s);
            cpu_against_bouncer.push(ours.cpu_us / peer.cpu_us);
            cpu.0.push(peer.cpu_us);
            added.0.push(peer.latency_us - plain.latency_us);
        }
    }
    println!("clients {clients}, {} rounds of {} s, median [min-max]", plan.rounds, plan.seconds);
    println!("  throughput, plimsoll / direct       {}", spread(&against_direct));
    if bouncer.is_some() {
        println!("  throughput, plimsoll / pgbouncer    {}", spread(&against_bouncer));
        println!("  CPU per transaction, / pgbouncer    {}", spread(&cpu_against_bouncer));
        println!("  added latency us, pgbouncer         {}", spread(&added.0));
        println!("  CPU us per transaction, pgbouncer   {}", spread(&cpu.0));
    }
    println!("  added latency us, plimsoll          {}", spread(&added.1));
    println!("  CPU us per transaction, plimsoll    {}", spread(&cpu.1));
}

fn spread(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    format!("{:.2} [{:.2}-{:.2}]", sorted[sorted.len() / 2], sorted[0], sorted[sorted.len() - 1])
}

fn measure(way: &Way, clients: &str, seconds: &str, url: &ServerUrl) -> Run {
    let before = way.pid.map_or(0.0, cpu_us);
    let output = pgbench(way, url, &["-n", "-S", "-M", "prepared", "-c", clients, "-j", "1", "-T", seconds]);
    let after = way.pid.map_or(0.0, cpu_us);
    let figure = |label: &str| -> f64 {
        let line = output.lines().find(|line| line.starts_with(label)).unwrap();
        let number = line.split(['=', ':']).nth(1).unwrap().trim().split([' ', '/']).next().unwrap();
        number.parse().unwrap()
    };
    let transactions = figure("number of transactions actually processed");
    Run {
        transactions_per_s: figure("tps"),
        latency_us: figure("latency average") * 1000.0,
        cpu_us: (after - before) / transactions,
    }
}

fn pgbench(way: &Way, url: &ServerUrl, arguments: &[&str]) -> String {
    let output = Command::new("pgbench")
        .args(["-h", &way.host, "-p", &way.port.to_string()])
        .args(arguments)
        .arg(url.database().unwrap())
        .env("PGUSER", url.user().unwrap())
        .env("PGPASSWORD", url.password().unwrap_or_default())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", way.name, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// User and system time of a process so far, in microseconds.
fn cpu_us(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    // Linux reports in ticks of 10 ms to user space on all its platforms.
    ticks * 10_000.0
}

/// Starts pgbouncer where it is installed. As root it runs as `nobody`.
fn pgbouncer(plan: &Plan, directory: &Path, direct: &Way, url: &ServerUrl) -> Option<(Way, Child)> {
    let probe = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = probe.local_addr().unwrap().port();
    drop(probe);
    let (user, password) = (url.user().unwrap(), url.password().unwrap_or_default());
    let users = directory.join("users.txt");
    std::fs::write(&users, format!("\"{user}\" \"{password}\"\n")).unwrap();
    let configuration = format!(
        "[databases]\n* = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = session\ndefault_pool_size = 64\n{}",
        direct.host,
        direct.port,
        users.display(),
        if plan.has_new_backends { "server_lifetime = 0\n" } else { "" },
    );
    let file = directory.join("pgbouncer.ini");
    std::fs::write(&file, configuration).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program =
        ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| Path::new(path).exists())?;
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "nobody"]);
    }
    let child = command.arg("-q").arg(&file).stderr(Stdio::null()).spawn().ok()?;
    let way = Way { name: "pgbouncer", host: "127.0.0.1".into(), port, pid: Some(child.id()) };
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::yield_now();
    }
    Some((way, child))
}
