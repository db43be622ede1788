//! Debian's chromium, driven through its DevTools protocol.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one tab and a profile of its own; it ends when this is dropped.
pub(super) struct Chromium {
    process: Child,
    profile: PathBuf,
    tab: WebSocket<TcpStream>,
    last_id: u64,
    /// What the tab told without being asked, oldest first.
    pub(super) told: Vec<Value>,
}

impl Chromium {
    /// `name` is that of the test; two browsers never share a profile.
    pub(super) fn start(name: &str) -> Self {
        let profile =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&profile));
        fs::create_dir_all(&profile).unwrap();
        let log = fs::File::create(profile.join("log")).unwrap();
        let process = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb"])
            .args(["--remote-debugging-port=0", "--host-resolver-rules=MAP evil.example 127.0.0.1"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("chromium is installed (apt-get install chromium)");

        let port = within("the browser listens", || {
            let file = fs::read_to_string(profile.join("DevToolsActivePort")).ok()?;
            file.lines().next()?.parse::<u16>().ok()
        });
        let address = within("the browser has a tab", || {
            let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
            let tabs = agent.get(format!("http://127.0.0.1:{port}/json/list")).call().ok()?;
            let tabs: Value = serde_json::from_reader(tabs.into_body().into_reader()).ok()?;
            let tab = tabs.as_array()?.iter().find(|tab| tab["type"] == "page")?;
            tab["webSocketDebuggerUrl"].as_str().map(str::to_owned)
        });
        let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        let (tab, _) = tungstenite::client(address, connection).unwrap();
        let mut browser = Self { process, profile, tab, last_id: 0, told: Vec::new() };
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method of the DevTools protocol.
    pub(super) fn call(&mut self, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let call = json!({ "id": self.last_id, "method": method, "params": params });
        self.tab.send(Message::text(call.to_string())).unwrap();
        loop {
            let message = self.tab.read().unwrap_or_else(|error| panic!("{method} is not answered: {error}"));
            let Message::Text(text) = message else { continue };
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.last_id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            self.told.push(answer);
        }
    }

    /// Goes to an address and waits until the document is there.
    pub(super) fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        self.wait("document.readyState === 'complete'");
    }

    /// The value of an expression; a promise is waited for.
    #[track_caller]
    pub(super) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    #[track_caller]
    pub(super) fn text(&mut self, expression: &str) -> String {
        self.eval(expression).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(super) fn wait(&mut self, expression: &str) {
        let began = Instant::now();
        while self.eval(expression) != true {
            assert!(began.elapsed() < PATIENCE, "never true: {expression}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Presses keys, one after the other: `j`, `Enter`, `Escape`.
    pub(super) fn press(&mut self, keys: &[&str]) {
        for key in keys {
            let mut params = json!({ "type": "keyDown", "key": key });
            match *key {
                "Enter" => params["text"] = "\r".into(),
                one if one.len() == 1 => params["text"] = one.into(),
                _ => {}
            }
            self.call("Input.dispatchKeyEvent", params);
            self.call("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key }));
        }
    }

    /// Clicks the middle of the first element that a selector finds.
    #[track_caller]
    pub(super) fn click(&mut self, selector: &str) {
        let find = format!(
            "(() => {{ const found = document.querySelector({selector:?}); found.scrollIntoView({{ block: 'nearest' }});
            const box = found.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2] }})()"
        );
        let at = self.eval(&find);
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", params);
        }
    }

    pub(super) fn size(&mut self, width: u32, height: u32, scheme: &str) {
        let phone = width < 600;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Writes what is to be seen to `target/inbox-<name>.png`.
    pub(super) fn screenshot(&mut self, name: &str) {
        self.eval(
            "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))",
        );
        let image = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let image = BASE64.decode(image["data"].as_str().unwrap().as_bytes()).unwrap();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        fs::write(target.join(format!("inbox-{name}.png")), image).unwrap();
    }

    /// The statuses of the answers so far that came from an address.
    pub(super) fn statuses(&self, url: &str) -> Vec<u64> {
        let answers = self.told.iter().filter(|event| event["method"] == "Network.responseReceived");
        let answers = answers.map(|event| &event["params"]["response"]);
        answers.filter(|answer| answer["url"] == url).filter_map(|answer| answer["status"].as_u64()).collect()
    }

    /// What the page or the browser complained about: exceptions, violations of the policy.
    pub(super) fn complaints(&self) -> Vec<String> {
        let methods = ["Runtime.exceptionThrown", "Log.entryAdded"];
        let all = self.told.iter().filter(|event| methods.iter().any(|method| event["method"] == *method));
        all.map(|event| event["params"].to_string()).collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.tab.send(Message::text(r#"{"id":0,"method":"Browser.close"}"#)));
        let began = Instant::now();
        while self.process.try_wait().is_ok_and(|status| status.is_none()) {
            if began.elapsed() > Duration::from_secs(5) {
                drop(self.process.kill());
                drop(self.process.wait());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(fs::remove_dir_all(&self.profile));
    }
}

#[track_caller]
fn within<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
