// The list of services, written out: the order is the order of preparation; nothing registers itself.

import EC2Service
import GateProtocol
import KMSService
import ServiceKit
import Store
import Supervisor

/// All services of a castle, made once over one environment.
struct Services: Sendable {
  let authority: any Authority
  let all: [any AWSService]

  /// Every collection that the services and the platform keep in the store.
  static var collections: [any Record.Type] {
    let types: [any AWSService.Type] = [KMSService.self, EC2Service.self]
    return types.flatMap { $0.collections } + AddressBook.collections
  }

  init(_ environment: ServiceEnvironment, owner: AccessKey, gate: GateController, supervisor: Supervisor) throws {
    authority = OpenAuthority()
    all = [KMSService(environment), EC2Service(environment)]
  }
}
