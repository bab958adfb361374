//! A file layer for `SQLite` that shows a test what is done to files before it is done, and lets it fail.
//!
//! It stands before the layer that `SQLite` has of itself, which does the work. It is the default of all connections of
//! the process once [`watched`] was called; but only what the thread does that called it is shown, and only while it works.
//!
//! Rust may not call a table of C functions, nor be called by one, without `unsafe`: that is why this is a package of its
//! own, so that the package under test can go on to forbid it. The rules of the tables: <https://sqlite.org/vfs.html>,
//! <https://sqlite.org/c3ref/vfs.html>, <https://sqlite.org/c3ref/io_methods.html>.

use libsqlite3_sys as ffi;
use std::cell::RefCell;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::null;
use std::sync::Once;

/// What `SQLite` is about to do to a file. Paths are as it opened them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call<'a> {
    /// Opens it, and may create it.
    Open {
        /// The file.
        path: &'a Path,
        /// Whether it is created if it is not there.
        create: bool,
    },
    /// Reads from it.
    Read(&'a Path),
    /// Writes bytes at a place.
    Write {
        /// The file.
        path: &'a Path,
        /// In bytes from its beginning.
        at: u64,
        /// What is written.
        bytes: &'a [u8],
    },
    /// Cuts it to so many bytes.
    Truncate(&'a Path, u64),
    /// Makes what was written to it durable. At the first sync of a log its name is made durable as well.
    Sync(&'a Path),
    /// Removes it.
    Delete {
        /// The file.
        path: &'a Path,
        /// Whether that is made durable at once.
        synced: bool,
    },
}

/// Why a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The disk does not answer.
    Io,
    /// The disk is full.
    Full,
}

type Hook = Box<dyn FnMut(Call<'_>) -> Result<(), Failure>>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Does `work`, and asks `hook` before each call of it, which is not made if `hook` refuses it.
///
/// # Panics
/// If there is no file layer to stand before, or one hook works within another.
pub fn watched<T>(
    hook: impl FnMut(Call<'_>) -> Result<(), Failure> + 'static,
    work: impl FnOnce() -> T,
) -> T {
    struct Unhooked;
    impl Drop for Unhooked {
        fn drop(&mut self) {
            HOOK.with(|slot| slot.borrow_mut().take());
        }
    }
    register();
    let before = HOOK.with(|slot| slot.borrow_mut().replace(Box::new(hook)));
    assert!(before.is_none(), "a hook works already");
    let _unhooked = Unhooked;
    work()
}

/// What the hook of this thread says; without one, all is well.
fn ask(call: Call<'_>) -> Result<(), c_int> {
    let said = HOOK.with(|slot| slot.borrow_mut().as_mut().map_or(Ok(()), |hook| hook(call)));
    said.map_err(|failure| match (failure, call) {
        (_, Call::Open { .. }) => ffi::SQLITE_CANTOPEN,
        (_, Call::Read(_)) => ffi::SQLITE_IOERR_READ,
        (Failure::Full, _) => ffi::SQLITE_FULL,
        (_, Call::Write { .. }) => ffi::SQLITE_IOERR_WRITE,
        (_, Call::Truncate(..)) => ffi::SQLITE_IOERR_TRUNCATE,
        (_, Call::Sync(_)) => ffi::SQLITE_IOERR_FSYNC,
        (_, Call::Delete { .. }) => ffi::SQLITE_IOERR_DELETE,
    })
}

/// The layer of `SQLite` itself.
fn original() -> *mut ffi::sqlite3_vfs {
    // SAFETY: the name ends with a zero; `SQLite` initializes itself when it is asked.
    unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) }
}

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let original = original();
        assert!(!original.is_null(), "SQLite has no file layer of this name here");
        let own = c_int::try_from(size_of::<File>()).expect("it is two pointers");
        // SAFETY: it is not null, and layers of `SQLite` itself are never given back. All other functions of the copy see
        // the same data as those of the original, as `SQLite` makes its own variants.
        let copy = unsafe {
            ffi::sqlite3_vfs {
                szOsFile: own + (*original).szOsFile,
                zName: c"hooked".as_ptr(),
                xOpen: Some(open),
                xDelete: Some(delete),
                ..*original
            }
        };
        // SAFETY: it lives from here on.
        let registered = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(copy)), 1) };
        assert_eq!(registered, ffi::SQLITE_OK);
    });
}

/// An open file: the file of the original follows it in memory, in the room that `szOsFile` asks for.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// `null` for a file without a name.
    path: *mut PathBuf,
}

/// The file of the original.
///
/// # Safety
/// `file` was opened by [`open`], or has the room that it needs for that.
unsafe fn inner(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: it is in the same piece of memory.
    unsafe { file.cast::<File>().add(1).cast() }
}

/// # Safety
/// `file` was opened by [`open`].
unsafe fn path<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Path> {
    // SAFETY: it was made by a box in `open`, and is dropped in `close`.
    unsafe { (*file.cast::<File>()).path.as_ref().map(PathBuf::as_path) }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: a name is null, or ends with a zero; there is room for the file of the original behind ours, which is set up
    // here; and the original takes what it is given as `SQLite` gave it.
    unsafe {
        let own = file.cast::<File>();
        (*own).base.pMethods = null();
        (*own).path = std::ptr::null_mut();
        let named =
            (!name.is_null()).then(|| PathBuf::from(OsStr::from_bytes(CStr::from_ptr(name).to_bytes())));
        if let Some(path) = &named {
            let create = flags & ffi::SQLITE_OPEN_CREATE != 0;
            if let Err(code) = ask(Call::Open { path, create }) {
                return code;
            }
        }
        let original = original();
        let Some(real) = (*original).xOpen else { return ffi::SQLITE_CANTOPEN };
        let code = real(original, name, inner(file), flags, out);
        if code == ffi::SQLITE_OK {
            (*own).path = named.map_or(std::ptr::null_mut(), |path| Box::into_raw(Box::new(path)));
            (*own).base.pMethods = &raw const METHODS;
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, synced: c_int) -> c_int {
    // SAFETY: a name ends with a zero.
    unsafe {
        let path = Path::new(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
        // Who removes what is not there does nothing.
        if path.exists()
            && let Err(code) = ask(Call::Delete { path, synced: synced != 0 })
        {
            return code;
        }
        let original = original();
        let Some(real) = (*original).xDelete else { return ffi::SQLITE_IOERR_DELETE };
        real(original, name, synced)
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: `file` was opened by `open`; it is not used after this.
    unsafe {
        let inner = inner(file);
        let code = (*(*inner).pMethods).xClose.map_or(ffi::SQLITE_OK, |real| real(inner));
        let path = std::mem::replace(&mut (*file.cast::<File>()).path, std::ptr::null_mut());
        if !path.is_null() {
            drop(Box::from_raw(path));
        }
        code
    }
}

/// Functions that hand on what they are asked to the file of the original; first they ask the hook, if there is something
/// to ask.
macro_rules! hand_on {
    ($($function:ident: $method:ident($($name:ident: $kind:ty),*) $(-> $result:ty, else $otherwise:expr)?
        $(, asks |$path:ident| $call:expr)?;)*) => {$(
        unsafe extern "C" fn $function(file: *mut ffi::sqlite3_file $(, $name: $kind)*) $(-> $result)? {
            // SAFETY: `file` was opened by `open`, so that there is an open file of the original behind it, which is given
            // what `SQLite` gives us: of a buffer as many bytes as it says.
            unsafe {
                $(if let Some($path) = path(file) && let Err(code) = ask($call) {
                    return code;
                })?
                let inner = inner(file);
                match (*(*inner).pMethods).$method {
                    Some(real) => real(inner $(, $name)*),
                    None => hand_on!(@otherwise $($otherwise)?),
                }
            }
        }
    )*};
    (@otherwise) => { () };
    (@otherwise $otherwise:expr) => { $otherwise };
}

/// `SQLite` counts from 0 and never gives more than a page.
fn count<N: TryInto<u64>>(number: N) -> u64 {
    number.try_into().unwrap_or_default()
}

hand_on! {
    read: xRead(buffer: *mut c_void, length: c_int, at: i64) -> c_int, else ffi::SQLITE_IOERR_READ,
        asks |path| Call::Read(path);
    write: xWrite(buffer: *const c_void, length: c_int, at: i64) -> c_int, else ffi::SQLITE_IOERR_WRITE,
        asks |path| Call::Write {
            path,
            at: count(at),
            bytes: std::slice::from_raw_parts(buffer.cast(), usize::try_from(length).unwrap_or_default()),
        };
    truncate: xTruncate(length: i64) -> c_int, else ffi::SQLITE_IOERR_TRUNCATE,
        asks |path| Call::Truncate(path, count(length));
    sync: xSync(flags: c_int) -> c_int, else ffi::SQLITE_IOERR_FSYNC, asks |path| Call::Sync(path);
    file_size: xFileSize(size: *mut i64) -> c_int, else ffi::SQLITE_ERROR;
    lock: xLock(level: c_int) -> c_int, else ffi::SQLITE_ERROR;
    unlock: xUnlock(level: c_int) -> c_int, else ffi::SQLITE_ERROR;
    check_reserved_lock: xCheckReservedLock(is: *mut c_int) -> c_int, else ffi::SQLITE_ERROR;
    file_control: xFileControl(what: c_int, about: *mut c_void) -> c_int, else ffi::SQLITE_NOTFOUND;
    sector_size: xSectorSize() -> c_int, else 0;
    device_characteristics: xDeviceCharacteristics() -> c_int, else 0;
    shm_map: xShmMap(page: c_int, size: c_int, extend: c_int, into: *mut *mut c_void) -> c_int, else ffi::SQLITE_ERROR;
    shm_lock: xShmLock(offset: c_int, number: c_int, flags: c_int) -> c_int, else ffi::SQLITE_ERROR;
    shm_barrier: xShmBarrier();
    shm_unmap: xShmUnmap(delete: c_int) -> c_int, else ffi::SQLITE_ERROR;
    fetch: xFetch(at: i64, length: c_int, into: *mut *mut c_void) -> c_int, else ffi::SQLITE_ERROR;
    unfetch: xUnfetch(at: i64, page: *mut c_void) -> c_int, else ffi::SQLITE_ERROR;
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};
