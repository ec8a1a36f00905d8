// What providers of stack resources share: tags, waiting, deleting what may be gone.

import AWSCore
import Store

extension ResourceContext {
  /// The stack's tags, and over them the resource's own: the property `Tags`, a list of `Key` and `Value`.
  public func allTags(_ properties: JSONValue) -> [String: String] {
    var all = tags
    for tag in properties["Tags"]?.array ?? [] { if let key = tag["Key"]?.text { all[key] = tag["Value"]?.text ?? "" } }
    return all
  }

  /// Makes a resource's tags the wanted ones.
  /// - Parameters:
  ///   - present: the keys of the tags that it has.
  ///   - remove: takes tags away, by key; not called when there are none.
  ///   - add: sets tags; not called when there are none.
  public static func updateTags(
    to wanted: [String: String], present: [String], remove: ([String]) async throws -> Void,
    add: ([String: String]) async throws -> Void
  ) async throws {
    let obsolete = present.filter { wanted[$0] == nil }
    if !obsolete.isEmpty { try await remove(obsolete) }
    if !wanted.isEmpty { try await add(wanted) }
  }
}

extension CallContext {
  /// The same call, known to be made by a stack, which may write `aws:` tags.
  public var viaCloudFormation: CallContext {
    guard calledVia.last != "cloudformation.amazonaws.com" else { return self }
    var copy = self
    copy.calledVia.append("cloudformation.amazonaws.com")
    return copy
  }
}

extension AWSService {
  /// - Returns: nil when the answer is an error with one of the codes: there is none.
  public static func unlessGone<T>(_ codes: Set<String>, _ body: () async throws -> T) async throws -> T? {
    do { return try await body() } catch let error as AWSError where codes.contains(error.code) { return nil }
  }
}

extension Store {
  /// Looks now, and again after each change of the collections, until `look` has an answer.
  /// - Throws: what `look` throws; `CancellationError`, also when the store is closed.
  public func wait<T>(for collections: Set<String>, until look: () async throws -> T?) async throws -> T {
    var next = changes(in: collections).makeAsyncIterator()
    while true {
      if let found = try await look() { return found }
      guard await next.next() != nil else { throw CancellationError() }
    }
  }
}
