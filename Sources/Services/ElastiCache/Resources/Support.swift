// What the resource providers share: tags, names, waiting, deleting what may be gone.

import AWSCore
import AWSWire
import ElastiCacheModel
import ServiceKit
import Store

extension ElastiCacheService {
  static let mapper = PropertyMapper(ElastiCache.model)

  /// The stack's tags, and over them the resource's own.
  static func allTags(_ properties: JSONValue, _ context: ResourceContext) -> [String: String] {
    var all = context.tags
    for tag in properties["Tags"]?.array ?? [] { if let key = tag["Key"]?.text { all[key] = tag["Value"]?.text ?? "" } }
    return all
  }

  /// Makes a resource's tags those of its properties.
  static func updateTags(_ arn: String, _ new: JSONValue, _ context: ResourceContext) async throws {
    let call = context.call.viaCloudFormation
    let wanted = allTags(new, context)
    let present = try await call.invoke(ElastiCache.listTagsForResource, .make { $0.resourceName = arn }).tagList ?? []
    let obsolete = present.compactMap(\.key).filter { wanted[$0] == nil }
    if !obsolete.isEmpty {
      _ = try await call.invoke(
        ElastiCache.removeTagsFromResource,
        .make {
          $0.resourceName = arn
          $0.tagKeys = obsolete
        })
    }
    if !wanted.isEmpty {
      _ = try await call.invoke(
        ElastiCache.addTagsToResource,
        .make {
          $0.resourceName = arn
          $0.tags = wire(wanted)
        })
    }
  }

  /// A generated name: letters, digits and single hyphens, beginning with a letter.
  static func name(_ context: ResourceContext, maxLength: Int) -> String {
    var name = context.generatedName(maxLength: maxLength, lowercase: true)
    while name.contains("--") { name = name.replacing("--", with: "-") }
    return name.first?.isLetter == true ? name : "c" + name.dropFirst()
  }

  /// Looks again at each change until `look` has an answer.
  func waitFor<T>(_ look: () async throws -> T?) async throws -> T {
    let changes = store.changes(in: reconciler.family.watched.union([ObservedRecord.collection]))
    var next = changes.makeAsyncIterator()
    while true {
      if let found = try await look() { return found }
      guard await next.next() != nil else { throw CancellationError() }
    }
  }

  /// Waits for what was just made. When that fails, or the stack gives up, what was made is asked to go: the stack
  /// does not
  /// know of it yet.
  static func orUndo<T>(
    _ call: CallContext, _ body: () async throws -> T, undo: @escaping @Sendable () async throws -> Void
  ) async throws -> T {
    do { return try await body() } catch {
      // A task of its own: this one may have been cancelled.
      do { try await Task { try await undo() }.value } catch {
        call.logger.warning("a resource that a stack gave up was left behind", metadata: ["error": "\(error)"])
      }
      throw error
    }
  }

  /// - Returns: nil when the answer is that there is none.
  static func unlessGone<T>(_ codes: Set<String>, _ body: () async throws -> T) async throws -> T? {
    do { return try await body() } catch let error as AWSError where codes.contains(error.code) { return nil }
  }
}

extension CallContext {
  /// The same call, known to be made by a stack, which may write `aws:` tags.
  var viaCloudFormation: CallContext {
    guard calledVia.last != "cloudformation.amazonaws.com" else { return self }
    var copy = self
    copy.calledVia.append("cloudformation.amazonaws.com")
    return copy
  }
}
