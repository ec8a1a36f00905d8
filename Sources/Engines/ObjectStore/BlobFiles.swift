// The folder of large blobs: names, the sweep of orphans, and deletion that waits for readers.

import Disk
import Synchronization

/// A blob's file. `folder` counts up with every reset, so that what is written across one lands nowhere.
struct BlobFile: Sendable, Hashable {
  var folder: Int
  var id: Int64
}

/// Held while blobs may be read; files that were replaced meanwhile are deleted when it goes away.
final class ReadTicket: Sendable {
  private let files: BlobFiles
  private let number: Int

  fileprivate init(_ files: BlobFiles, _ number: Int) {
    self.files = files
    self.number = number
  }

  deinit { files.end(number) }
}

/// Steps of a write at which a test may make it fail.
package enum WriteStep: String, Sendable, CaseIterable { case created, written, synced, renamed, folderSynced }

final class BlobFiles: Sendable {
  let root: String
  /// For writing and deleting.
  let threads: BlockingThreads
  /// For reading, so that a get does not wait behind the fsyncs of large puts.
  let readers: BlockingThreads
  let fault: @Sendable (WriteStep) throws -> Void

  private struct State {
    var nextID: Int64
    var folder: Int
    var shards: Set<String> = []
    var nextTicket = 0
    var active: Set<Int> = []
    /// Files to delete once every ticket up to the number has ended.
    var doomed: [(ticket: Int, files: [BlobFile])] = []
  }
  private let state: Mutex<State>

  init(
    root: String, folder: Int, readers: BlockingThreads, fault: @escaping @Sendable (WriteStep) throws -> Void
  ) {
    self.root = root
    self.threads = BlockingThreads(count: Self.writerCount)
    self.readers = readers
    self.fault = fault
    state = Mutex(State(nextID: 1, folder: folder))
  }

  static let writerCount = 4

  private func folderPath(_ folder: Int) -> String { "\(root)/blobs-\(folder)" }

  /// 4,096 files a folder, named after the id alone: a key never becomes a file name.
  private func shardPath(_ file: BlobFile) -> String {
    "\(folderPath(file.folder))/\(String(file.id >> 12, radix: 16))"
  }

  func path(_ file: BlobFile) -> String { "\(shardPath(file))/\(String(file.id, radix: 16))" }

  var folder: Int { state.withLock { $0.folder } }

  func allocate() -> BlobFile {
    state.withLock { s in
      defer { s.nextID += 1 }
      return BlobFile(folder: s.folder, id: s.nextID)
    }
  }

  // MARK: Writing (these block)

  func create(_ file: BlobFile) throws -> OpenFile {
    let shard = shardPath(file)
    if !state.withLock({ $0.shards.contains(shard) }) {
      try Files.makeDirectory(shard)
      try Files.syncDirectory(folderPath(file.folder))
      try Files.syncDirectory(root)
      state.withLock { _ = $0.shards.insert(shard) }
    }
    let open = try OpenFile.create(path(file) + ".new")
    try fault(.created)
    return open
  }

  /// Makes a written file durable under its name.
  func publish(_ file: BlobFile, _ open: OpenFile) throws {
    try fault(.written)
    try open.sync()
    try fault(.synced)
    try Files.rename(path(file) + ".new", to: path(file))
    try fault(.renamed)
    try Files.syncDirectory(shardPath(file))
    try fault(.folderSynced)
  }

  /// Removes what a writer left, some time soon. A failure leaves an orphan for the next sweep.
  func discard(_ file: BlobFile) {
    let path = path(file)
    threads.submit {
      try? Files.remove(path + ".new")
      try? Files.remove(path)
    }
  }

  // MARK: Deletion and readers

  func ticket() -> ReadTicket {
    ReadTicket(
      self,
      state.withLock { s in
        s.nextTicket += 1
        s.active.insert(s.nextTicket)
        return s.nextTicket
      })
  }

  fileprivate func end(_ ticket: Int) {
    let free = state.withLock { s in
      s.active.remove(ticket)
      return s.doomed.isEmpty ? [] : Self.takeFree(&s)
    }
    delete(free)
  }

  /// Deletes files that the index no longer knows, as soon as nobody can be reading them. Call after the commit.
  func doom(_ files: [BlobFile]) {
    if files.isEmpty { return }
    let free = state.withLock { s in
      s.doomed.append((s.nextTicket, files))
      return Self.takeFree(&s)
    }
    delete(free)
  }

  private static func takeFree(_ s: inout State) -> [BlobFile] {
    let oldest = s.active.min() ?? .max
    let free = s.doomed.prefix { $0.ticket < oldest }
    s.doomed.removeFirst(free.count)
    return free.flatMap(\.files)
  }

  /// A failure leaves an orphan for the next sweep.
  private func delete(_ files: [BlobFile]) {
    if files.isEmpty { return }
    let paths = files.map(path)
    threads.submit { for path in paths { try? Files.remove(path) } }
  }

  // MARK: Reset and start-up

  /// From now on blobs go to a new folder; the old one is deleted in the background.
  func startOver(folder: Int) {
    let old = state.withLock { s -> Int? in
      // Two resets at once may come here in the wrong order.
      guard folder > s.folder else { return nil }
      defer {
        s.folder = folder
        s.shards = []
        s.doomed = []
      }
      return s.folder
    }
    let path = folderPath(old ?? folder - 1)
    threads.submit { try? Files.removeTree(path) }
  }

  /// Removes files that the index does not know (of writes that never were acknowledged). Blocks; before any write.
  /// - Parameter known: the ids of all blobs in files.
  func sweep(known: Set<Int64>, lastID: Int64) throws {
    var last = lastID
    let current = folderPath(folder)
    for (name, isDirectory) in try Files.list(root) where isDirectory && name.hasPrefix("blobs-") {
      let path = "\(root)/\(name)"
      if path != current { threads.submit { try? Files.removeTree(path) } }
    }
    let shards: [(name: String, isDirectory: Bool)]
    do {
      shards = try Files.list(current)
    } catch let error as FileError where error.isNotFound {
      shards = []  // nothing large was ever written
    }
    for (shard, isDirectory) in shards where isDirectory {
      for (name, _) in try Files.list("\(current)/\(shard)") {
        if let id = Int64(name, radix: 16), known.contains(id) {
          last = max(last, id)
        } else {
          try Files.remove("\(current)/\(shard)/\(name)")
        }
      }
    }
    let next = last + 1
    state.withLock { $0.nextID = next }
  }
}
