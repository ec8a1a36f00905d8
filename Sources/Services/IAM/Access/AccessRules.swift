// What each operation touches, for IAM itself to decide: the access closures of the handler tables.

import AWSCore
import IAMModel
import ServiceKit
import Store

extension IAMService {
  /// An operation on a thing that it names.
  func on<R: Resource, I>(
    _ type: R.Type, context: @escaping @Sendable (I) -> [String: [String]] = { _ in [:] },
    _ reference: @escaping @Sendable (I) -> String
  ) -> HandlerTable.Access<I> {
    { input, call in [try await access(type, reference(input), call, context: context(input))] }
  }

  /// An operation on a user, or on the caller when it names none.
  func onUser<I>(_ name: @escaping @Sendable (I) -> String?) -> HandlerTable.Access<I> {
    { input, call in
      guard let name = name(input) ?? Self.callerName(call) else { return [ResourceAccess(call.principal.arn)] }
      return [try await access(UserRecord.self, name, call)]
    }
  }

  /// An operation that makes a thing.
  func creating<R: Resource, I>(
    _ type: R.Type, tags: @escaping @Sendable (I) -> [IAM.Tag]? = { _ in nil },
    boundary: @escaping @Sendable (I) -> String? = { _ in nil },
    _ name: @escaping @Sendable (I) -> (String, path: String?)
  ) -> HandlerTable.Access<I> {
    { input, call in
      let (name, path) = name(input)
      var context = Self.requestTags(tags(input))
      if let boundary = boundary(input) { context["iam:PermissionsBoundary"] = [boundary] }
      return [ResourceAccess(R.arn(for: name, path: path ?? "/", call.globalScope), context: context)]
    }
  }

  func access<R: Resource>(
    _ type: R.Type, _ reference: String, _ call: CallContext, context: [String: [String]] = [:]
  ) async throws -> ResourceAccess {
    let scope = call.globalScope
    // Whether it exists is told only to whoever may touch it.
    guard let found = try await store.get(type, scope, R.recordID(for: reference)) else {
      return ResourceAccess(R.arn(for: reference, path: "/", scope), context: context)
    }
    var context = context
    for (key, value) in found.tags {
      context["aws:ResourceTag/\(key)"] = [value]
      context["iam:ResourceTag/\(key)"] = [value]
    }
    if let holder = found as? any PolicyHolder, let boundary = holder.policies.boundary,
      context["iam:PermissionsBoundary"] == nil
    {
      context["iam:PermissionsBoundary"] = [boundary]
    }
    return ResourceAccess(found.arn(scope), context: context)
  }

  static func requestTags(_ tags: [IAM.Tag]?) -> [String: [String]] {
    guard let tags, !tags.isEmpty else { return [:] }
    var context = ["aws:TagKeys": tags.map(\.key)]
    for tag in tags { context["aws:RequestTag/\(tag.key)"] = [tag.value] }
    return context
  }

  /// The name of the user that calls; nil for all others.
  static func callerName(_ call: CallContext) -> String? {
    guard call.principal.kind == .user else { return nil }
    return call.principal.arn.split(separator: "/").last.map(String.init)
  }

  /// The user that an operation is about: the one it names, or the caller.
  /// - Throws: ValidationError when it names none and the caller is none.
  static func userName(_ name: String?, _ call: CallContext) throws -> String {
    if let name { return name }
    if let caller = callerName(call) { return caller }
    throw AWSError.validationError("Must specify userName when calling with non-User credentials")
  }
}
