// Castle's own paths under `/_castle/`, for the command, the dashboard, tests and tasks.

import AWSCore
import AWSWire
import ELBv2Service
import Edge
import Foundation
import ServiceKit

extension Castle {
  /// The list, written out.
  func controlRoutes() -> [ControlRoute] {
    [
      ControlRoute("GET", "/health", access: .open) { _ in self.health() },
      ControlRoute("POST", "/reset", access: configuration.admission == .permissive ? .open : .token) { _ in
        try await self.reset()
        return .json(["status": "empty"])
      },
      ControlRoute("POST", "/metrics", access: configuration.admission == .permissive ? .open : .token) { _ in
        for service in self.services.all { try await service.publishMetrics() }
        return .json(["status": "told"])
      },
      ControlRoute("GET", "/credentials/", access: .open) { try await self.taskCredentials($0) },
      ControlRoute("GET", "/elb-public-keys/", access: .open, host: "public-keys.auth.elb.") {
        try await self.publicKey($0)
      },
      ControlRoute("GET", ELBv2Service.contentsPath, access: .open) { try await self.trustStoreContents($0) },
      ControlRoute("POST", "/stop", access: .token) { request in
        guard let mode = StopMode(rawValue: request.query["mode"] ?? "down") else {
          throw AWSError.validation("mode is one of leave, down, destroy")
        }
        var answer = ControlResponse.json(["status": "stopping"])
        answer.afterwards = { self.stop(mode) }
        return answer
      },
      ControlRoute("POST", "/deploy", access: .token) { try await self.deploy($0) },
      ControlRoute("GET", "/stack", access: .token) { try await self.stackReport($0) },
      ControlRoute("POST", "/scale", access: .token) { try await self.scale($0) },
      ControlRoute("POST", "/restart", access: .token) { try await self.restartService($0) },
      ControlRoute("GET", "/logs", access: .token) { try await self.logs($0) },
    ] + dashboardRoutes()
  }

  /// The key with which targets verify `x-amzn-oidc-data`, as `https://public-keys.auth.elb.REGION.amazonaws.com/KEY-ID`
  /// gives it.
  private func publicKey(_ request: ControlRequest) async throws -> ControlResponse {
    let id = String(request.path.dropFirst("/elb-public-keys/".count))
    guard let key = try await services.elbv2.publicKey(id: id) else {
      throw AWSError("NotFound", "No load balancer of this castle signs with the key \(id).", status: 404)
    }
    return ControlResponse(contentType: "application/x-pem-file", body: Array((key + "\n").utf8))
  }

  /// What a trust store holds, at an address that is its own permission; errors are S3's, as at AWS's address.
  private func trustStoreContents(_ request: ControlRequest) async throws -> ControlResponse {
    do {
      let found = try await services.elbv2.trustStoreContents(path: request.path, query: request.query)
      return ControlResponse(contentType: found.type, body: found.bytes)
    } catch let error as AWSError {
      let wire = WireProtocol.restXML.codec.encode(
        error: error, operation: nil, model: nil, requestID: environment.ids.uuid(), resource: request.path)
      return ControlResponse(status: wire.status, contentType: "application/xml", body: wire.body)
    }
  }

  private func health() -> ControlResponse {
    .json(
      [
        "status": .string(ready ? "ready" : "starting"), "region": .string(configuration.region),
        "account": .string(configuration.account), "admission": .string(configuration.admission.rawValue),
        "pid": .integer(Int(getpid())),
      ], status: ready ? 200 : 503)
  }

  /// The container credentials endpoint: `AWS_CONTAINER_CREDENTIALS_FULL_URI` points here. The token that a task was
  /// given opens its own credentials, nobody else's.
  private func taskCredentials(_ request: ControlRequest) async throws -> ControlResponse {
    let id = String(request.path.dropFirst("/credentials/".count))
    return .json(
      try await services.ecs.taskCredentials(id: id, authorization: request.headers["authorization"] ?? ""))
  }
}
