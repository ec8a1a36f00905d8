// What tests of operations ask of failures.

import AWSCore

/// The code of the AWS error that `body` throws; nil when it throws none.
func errorCode(_ body: () async throws -> some Any) async -> String? {
  do {
    _ = try await body()
    return nil
  } catch let error as AWSError {
    return error.code
  } catch {
    return "\(error)"
  }
}
