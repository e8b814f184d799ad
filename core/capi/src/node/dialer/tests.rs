use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// What the connect function of a test does, call by call.
struct Plan {
    calls: AtomicUsize,
    /// What each call waits for.
    gate: std::sync::Mutex<mpsc::Receiver<Answer>>,
}

enum Answer {
    Connected,
    Refused(c_int),
    Nothing,
}

unsafe extern "C" fn dial(arg: *mut c_void, addr: *const c_char, fd: *mut c_int) -> c_int {
    // SAFETY: each test gives its plan, which outlives its dialer, and addresses are texts.
    let (plan, address) = unsafe { (&*arg.cast::<Plan>(), std::ffi::CStr::from_ptr(addr)) };
    plan.calls.fetch_add(1, Ordering::SeqCst);
    match plan.gate.lock().unwrap().recv().unwrap() {
        Answer::Refused(code) => code,
        Answer::Nothing => 0,
        Answer::Connected => {
            let (near, mut far) = UnixStream::pair().unwrap();
            std::io::Write::write_all(&mut far, address.to_bytes()).unwrap();
            // SAFETY: the dialer gives a place.
            unsafe { fd.write(near.into_raw_fd()) };
            0
        }
    }
}

fn planned() -> (Arc<Plan>, mpsc::Sender<Answer>, Arc<Dialer>) {
    let (sender, gate) = mpsc::channel();
    let plan = Arc::new(Plan { calls: AtomicUsize::new(0), gate: gate.into() });
    let dialer = Arc::new(Dialer::default());
    dialer.choose(Some(dial), Arc::as_ptr(&plan).cast_mut().cast());
    dialer.reopen();
    (plan, sender, dialer)
}

async fn said(stream: io::Result<Box<dyn Stream>>) -> String {
    let mut text = String::new();
    stream.unwrap().read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_programs_function_connects() {
    let (_plan, sender, dialer) = planned();
    sender.send(Answer::Connected).unwrap();
    assert_eq!(said(dialer.connect("node-7").await).await, "node-7");
    sender.send(Answer::Refused(RAFT_NOCONNECTION)).unwrap();
    let refused = dialer.connect("node-7").await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    sender.send(Answer::Refused(5)).unwrap();
    let refused = dialer.connect("node-7").await.unwrap_err();
    assert!(refused.to_string().contains("returned 5"), "{refused}");
    sender.send(Answer::Nothing).unwrap();
    let refused = dialer.connect("node-7").await.unwrap_err();
    assert!(refused.to_string().contains("no socket"), "{refused}");
    dialer.choose(None, std::ptr::null_mut());
    assert!(dialer.connect("127.0.0.1:1").await.is_err(), "the system dials");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_one_call_at_a_time_and_the_next_caller_gets_its_connection() {
    let (plan, sender, dialer) = planned();
    let given_up = tokio::time::timeout(Duration::from_millis(50), dialer.connect("slow"));
    assert!(given_up.await.is_err());
    let again = {
        let dialer = dialer.clone();
        tokio::spawn(async move { said(dialer.connect("slow").await).await })
    };
    tokio::task::yield_now().await;
    assert_eq!(plan.calls.load(Ordering::SeqCst), 1, "the first call still runs");
    sender.send(Answer::Connected).unwrap();
    assert_eq!(again.await.unwrap(), "slow");
    assert_eq!(plan.calls.load(Ordering::SeqCst), 1, "its connection served the second caller");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_dialer_calls_nobody() {
    let (plan, sender, dialer) = planned();
    let calling = {
        let dialer = dialer.clone();
        tokio::spawn(async move { dialer.connect("a").await.map(|_| ()) })
    };
    while plan.calls.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let closing = {
        let dialer = dialer.clone();
        tokio::task::spawn_blocking(move || dialer.close())
    };
    let mut closing = std::pin::pin!(closing);
    let early = tokio::time::timeout(Duration::from_millis(50), &mut closing);
    assert!(early.await.is_err(), "it waits for the call that runs");
    sender.send(Answer::Connected).unwrap();
    calling.await.unwrap().unwrap();
    closing.await.unwrap();
    assert!(dialer.connect("a").await.is_err());
    assert_eq!(plan.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_was_bound_is_listened_on() {
    let dialer = Dialer::default();
    let bound = address::bind("127.0.0.1:0").unwrap();
    let at = bound.address().to_owned();
    dialer.keep(bound);
    let listener = dialer.listen("anything").await.unwrap();
    assert_eq!(listener.address(), at);
    let mut near = dialer.connect(&at).await.unwrap();
    let mut far = listener.accept().await.unwrap();
    near.write_all(b"x").await.unwrap();
    assert_eq!(far.read_u8().await.unwrap(), b'x');
    assert!(dialer.listen("anything").await.is_err(), "the socket is used up");
}
