// The list of services, written out: the order is the order of preparation; nothing registers itself.

import ACMService
import ARCZonalShiftService
import ApplicationAutoScalingService
import Certificates
import CloudFormationService
import CloudWatchLogsService
import CloudWatchService
import EC2Service
import ECRService
import ECSService
import ELBv2Service
import ElastiCacheService
import GateProtocol
import IAMService
import KMSService
import RDSService
import Route53Service
import S3Service
import SecretsManagerService
import ServiceKit
import ShieldService
import Store
import Supervisor
import Tasks
import WAFv2Service

/// All services of a castle, made once over one environment.
struct Services: Sendable {
  let authority: any Authority
  let ecs: ECSService
  let elbv2: ELBv2Service
  let all: [any AWSService]

  /// Every collection that the services and the platform keep in the store.
  static var collections: [any Record.Type] {
    let types: [any AWSService.Type] = [
      IAMService.self, KMSService.self, SecretsManagerService.self, S3Service.self, CloudWatchLogsService.self,
      EC2Service.self, ELBv2Service.self, ECSService.self, RDSService.self, ElastiCacheService.self,
      Route53Service.self, ECRService.self, CloudWatchService.self, ApplicationAutoScalingService.self,
      ShieldService.self, WAFv2Service.self, ACMService.self, ARCZonalShiftService.self, CloudFormationService.self,
    ]
    return types.flatMap { $0.collections } + AddressBook.collections
  }

  init(
    _ environment: ServiceEnvironment, owner: AccessKey, gate: GateController, supervisor: Supervisor,
    certificates: CertificateAuthority
  ) throws {
    let iam = IAMService(environment, owner: owner)
    let acm = ACMService(environment, authority: certificates)
    let dns = Route53Service(environment)
    authority = iam
    elbv2 = ELBv2Service(
      environment, gate: gate, certificates: [acm, iam],
      authority: { try certificates.certificate(now: environment.clock.now) }, names: dns)
    ecs = ECSService(environment, runtime: ProcessTaskRuntime(supervisor: supervisor))
    var services: [any AWSService] = [
      iam,
      KMSService(environment),
      SecretsManagerService(environment),
      try S3Service(environment),
      try CloudWatchLogsService(environment),
      EC2Service(environment),
      elbv2,
      ecs,
      RDSService(environment, supervisor: supervisor, gate: gate),
      ElastiCacheService(environment, supervisor: supervisor, gate: gate),
      dns,
      ECRService(environment),
      CloudWatchService(environment),
      ApplicationAutoScalingService(environment),
      ShieldService(environment, gate: gate),
      WAFv2Service(environment, gate: gate),
      ARCZonalShiftService(environment, gate: gate),
      acm,
    ]
    services.append(CloudFormationService(environment, providers: services.flatMap { $0.resourceProviders }))
    all = services
  }
}
