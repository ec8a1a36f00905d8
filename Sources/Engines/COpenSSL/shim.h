// OpenSSL 3 as the Gate uses it: macros as functions, and a BIO over plain memory that all connections of a loop share.
#pragma once
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/// What a loop's TLS reads from and writes to: a window of bytes that came from a socket, and a buffer of bytes to send.
/// One connection at a time uses it, from the reading of a socket to the sending of what came of it.
struct castle_tls_io {
  const uint8_t *_Nullable in;
  size_t in_count;
  uint8_t *_Nullable out;
  size_t out_count;
  size_t out_capacity;
};

static inline int castle_tls_bio_read(BIO *_Nonnull bio, char *_Nonnull bytes, int count) {
  struct castle_tls_io *io = (struct castle_tls_io *)BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (io->in_count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  size_t taken = io->in_count < (size_t)count ? io->in_count : (size_t)count;
  memcpy(bytes, io->in, taken);
  io->in += taken;
  io->in_count -= taken;
  return (int)taken;
}

/// Makes room for `count` more bytes to send and returns where they go; NULL without memory.
static inline uint8_t *_Nullable castle_tls_reserve(struct castle_tls_io *_Nonnull io, size_t count) {
  if (io->out_capacity - io->out_count < count) {
    size_t grown = io->out_capacity ? io->out_capacity : (size_t)32 << 10;
    while (grown - io->out_count < count) grown *= 2;
    uint8_t *fresh = (uint8_t *)realloc(io->out, grown);
    if (!fresh) return NULL;
    io->out = fresh;
    io->out_capacity = grown;
  }
  return io->out + io->out_count;
}

static inline int castle_tls_bio_write(BIO *_Nonnull bio, const char *_Nonnull bytes, int count) {
  struct castle_tls_io *io = (struct castle_tls_io *)BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (count <= 0) return 0;
  uint8_t *room = castle_tls_reserve(io, (size_t)count);
  if (!room) return -1;
  memcpy(room, bytes, (size_t)count);
  io->out_count += (size_t)count;
  return count;
}

static inline long castle_tls_bio_control(BIO *_Nonnull bio, int command, long number, void *_Nullable pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/// The method of such BIOs; made once.
static inline BIO_METHOD *_Nullable castle_tls_bio_method(void) {
  BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "castle");
  if (!method) return NULL;
  BIO_meth_set_read(method, castle_tls_bio_read);
  BIO_meth_set_write(method, castle_tls_bio_write);
  BIO_meth_set_ctrl(method, castle_tls_bio_control);
  return method;
}

/// Gives a connection its BIO. 1, or 0 without memory.
static inline int castle_tls_attach(SSL *_Nonnull ssl, const BIO_METHOD *_Nonnull method, struct castle_tls_io *_Nonnull io) {
  BIO *bio = BIO_new(method);
  if (!bio) return 0;
  BIO_set_data(bio, io);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  return 1;
}

enum castle_tls_outcome {
  castle_tls_wants_more = 0,
  castle_tls_done = 1,
  castle_tls_closed = 2,
  castle_tls_failed = 3
};

/// Goes on with a handshake with what is in the window.
static inline int castle_tls_handshake(SSL *_Nonnull ssl) {
  int result = SSL_do_handshake(ssl);
  if (result == 1) return castle_tls_done;
  switch (SSL_get_error(ssl, result)) {
  case SSL_ERROR_WANT_READ: return castle_tls_wants_more;
  case SSL_ERROR_ZERO_RETURN: return castle_tls_closed;
  default: return castle_tls_failed;
  }
}

/// Decrypts the whole window, as far as `capacity` goes; returns the number of plain bytes. `outcome` tells why it
/// ended: more is wanted, the other side closed, or the connection is broken. `done` means that `bytes` is full.
static inline size_t castle_tls_read(
    SSL *_Nonnull ssl, struct castle_tls_io *_Nonnull io, uint8_t *_Nonnull bytes, size_t capacity, int *_Nonnull outcome) {
  size_t total = 0;
  while (total < capacity) {
    size_t count = 0;
    if (SSL_read_ex(ssl, bytes + total, capacity - total, &count)) {
      total += count;
      // Nothing left in the window and nothing of the last record: what may be inside is part of a record.
      if (io->in_count == 0 && SSL_pending(ssl) == 0) {
        *outcome = castle_tls_wants_more;
        return total;
      }
      continue;
    }
    switch (SSL_get_error(ssl, 0)) {
    case SSL_ERROR_WANT_READ: *outcome = castle_tls_wants_more; break;
    case SSL_ERROR_ZERO_RETURN: *outcome = castle_tls_closed; break;
    default: *outcome = castle_tls_failed; break;
    }
    return total;
  }
  *outcome = castle_tls_done;
  return total;
}

/// Encrypts into the loop's buffer. 1, or 0 when the connection is broken.
static inline int castle_tls_write(SSL *_Nonnull ssl, const uint8_t *_Nonnull bytes, size_t count) {
  size_t done = 0;
  return count == 0 || (SSL_write_ex(ssl, bytes, count, &done) && done == count);
}

/// Encrypts `count` bytes, and one more where `last` is not negative, with an AEAD whose key is set. `tag` gets 16 bytes.
/// 1, or 0 when it failed.
static inline int castle_aead_seal(
    EVP_CIPHER_CTX *_Nonnull cipher, const uint8_t *_Nonnull nonce, const uint8_t *_Nonnull aad, int aad_count,
    const uint8_t *_Nonnull bytes, int count, int last, uint8_t *_Nonnull out, uint8_t *_Nonnull tag) {
  int written = 0;
  uint8_t type = (uint8_t)last;
  if (EVP_EncryptInit_ex2(cipher, NULL, NULL, nonce, NULL) != 1) return 0;
  if (EVP_EncryptUpdate(cipher, NULL, &written, aad, aad_count) != 1) return 0;
  if (count > 0 && EVP_EncryptUpdate(cipher, out, &written, bytes, count) != 1) return 0;
  if (last >= 0 && EVP_EncryptUpdate(cipher, out + count, &written, &type, 1) != 1) return 0;
  if (EVP_EncryptFinal_ex(cipher, tag, &written) != 1) return 0;
  return EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, 16, tag);
}

/// Decrypts `count` bytes, behind which the tag of 16 bytes is. 1, or 0 when they are not what was sealed.
static inline int castle_aead_open(
    EVP_CIPHER_CTX *_Nonnull cipher, const uint8_t *_Nonnull nonce, const uint8_t *_Nonnull aad, int aad_count,
    const uint8_t *_Nonnull bytes, int count, uint8_t *_Nonnull out) {
  int written = 0;
  if (EVP_DecryptInit_ex2(cipher, NULL, NULL, nonce, NULL) != 1) return 0;
  if (EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, 16, (void *)(bytes + count)) != 1) return 0;
  if (EVP_DecryptUpdate(cipher, NULL, &written, aad, aad_count) != 1) return 0;
  if (count > 0 && EVP_DecryptUpdate(cipher, out, &written, bytes, count) != 1) return 0;
  return EVP_DecryptFinal_ex(cipher, out + count, &written);
}

/// Sets the digest of an HMAC once for all; it is looked up by its name.
static inline int castle_hmac_digest(EVP_MAC_CTX *_Nonnull mac, const char *_Nonnull digest) {
  OSSL_PARAM parameters[2] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters);
}

/// HMAC of a text (RFC 2104). The number of bytes, or 0 when it failed.
static inline size_t castle_hmac(
    EVP_MAC_CTX *_Nonnull mac, const uint8_t *_Nonnull key, size_t key_count, const uint8_t *_Nonnull text, size_t count,
    uint8_t *_Nonnull out, size_t capacity) {
  size_t written = 0;
  if (EVP_MAC_init(mac, key, key_count, NULL) != 1 || EVP_MAC_update(mac, text, count) != 1) return 0;
  return EVP_MAC_final(mac, out, &written, capacity) == 1 ? written : 0;
}

/// Told of each record and message of a context's handshakes.
typedef void (*castle_tls_message_callback)(
    int writes, int version, int type, const void *_Nullable bytes, size_t count, SSL *_Nullable ssl, void *_Nullable);
static inline void castle_tls_watch_messages(SSL_CTX *_Nonnull context, castle_tls_message_callback _Nonnull message) {
  SSL_CTX_set_msg_callback(context, message);
}
/// Told of secrets, from now on or no longer.
static inline void castle_tls_watch_secrets(
    const SSL *_Nonnull ssl, void (*_Nullable secret)(const SSL *_Nullable ssl, const char *_Nullable line)) {
  SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), secret);
}

static inline int castle_tls_set_versions(SSL_CTX *_Nonnull context, int lowest, int highest) {
  return SSL_CTX_set_min_proto_version(context, lowest) && SSL_CTX_set_max_proto_version(context, highest);
}

static inline void castle_tls_set_mode(SSL_CTX *_Nonnull context, long mode) { SSL_CTX_set_mode(context, mode); }
static inline void castle_tls_set_cache(SSL_CTX *_Nonnull context, long mode) {
  SSL_CTX_set_session_cache_mode(context, mode);
}
static inline int castle_tls_set_groups(SSL_CTX *_Nonnull context, const char *_Nonnull list) {
  return (int)SSL_CTX_set1_groups_list(context, list);
}
static inline int castle_tls_set_host(SSL *_Nonnull ssl, const char *_Nonnull name) {
  return (int)SSL_set_tlsext_host_name(ssl, name);
}
static inline void castle_tls_set_owner(SSL *_Nonnull ssl, void *_Nullable owner) { SSL_set_ex_data(ssl, 0, owner); }
static inline void *_Nullable castle_tls_owner(const SSL *_Nonnull ssl) { return SSL_get_ex_data(ssl, 0); }

/// Certificate, key and chain for one connection, in the place of all that its context has.
static inline int castle_tls_use(
    SSL *_Nonnull ssl, X509 *_Nonnull certificate, EVP_PKEY *_Nonnull key, STACK_OF(X509) *_Nullable chain) {
  SSL_certs_clear(ssl);
  return SSL_use_cert_and_key(ssl, certificate, key, chain, 1);
}
/// The same for a context.
static inline int castle_tls_use_by_default(
    SSL_CTX *_Nonnull context, X509 *_Nonnull certificate, EVP_PKEY *_Nonnull key, STACK_OF(X509) *_Nullable chain) {
  return SSL_CTX_use_cert_and_key(context, certificate, key, chain, 1);
}

static inline STACK_OF(X509) *_Nullable castle_x509_stack(void) { return sk_X509_new_null(); }
static inline int castle_x509_push(STACK_OF(X509) *_Nonnull stack, X509 *_Nonnull each) {
  return sk_X509_push(stack, each);
}
static inline int castle_x509_count(const STACK_OF(X509) *_Nullable stack) { return stack ? sk_X509_num(stack) : 0; }
static inline X509 *_Nullable castle_x509_at(const STACK_OF(X509) *_Nonnull stack, int index) {
  return sk_X509_value(stack, index);
}
static inline void castle_x509_free_stack(STACK_OF(X509) *_Nullable stack) { sk_X509_pop_free(stack, X509_free); }

/// The DNS names of a certificate, one after another; `index` begins at 0 and ends with a length of -1. Falls back to
/// the common name when there are no alternative names.
static inline int castle_x509_name(
    X509 *_Nonnull certificate, int index, char *_Nonnull bytes, int capacity) {
  GENERAL_NAMES *names = (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  if (!names) {
    if (index != 0) return -1;
    return X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, bytes, capacity);
  }
  int found = -1;
  int seen = 0;
  for (int at = 0; at < sk_GENERAL_NAME_num(names); at++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, at);
    if (name->type != GEN_DNS || seen++ != index) continue;
    int length = ASN1_STRING_length(name->d.dNSName);
    if (length < capacity) {
      memcpy(bytes, ASN1_STRING_get0_data(name->d.dNSName), (size_t)length);
      found = length;
    } else {
      found = 0;
    }
    break;
  }
  GENERAL_NAMES_free(names);
  return found;
}

/// Reads PEM from memory: the next certificate, or NULL.
static inline BIO *_Nullable castle_memory_bio(const void *_Nonnull bytes, int count) {
  return BIO_new_mem_buf(bytes, count);
}
static inline const char *_Nullable castle_bio_bytes(BIO *_Nonnull bio, long *_Nonnull count) {
  char *bytes = NULL;
  *count = BIO_get_mem_data(bio, &bytes);
  return bytes;
}
/// No pass phrase: a key that wants one cannot be read.
static inline int castle_no_password(char *_Nonnull buffer, int size, int writes, void *_Nullable pointer) {
  (void)buffer, (void)size, (void)writes, (void)pointer;
  return -1;
}
static inline EVP_PKEY *_Nullable castle_read_key(BIO *_Nonnull bio, OSSL_LIB_CTX *_Nonnull library) {
  return PEM_read_bio_PrivateKey_ex(bio, NULL, castle_no_password, NULL, library, NULL);
}
/// An empty certificate of a library context, to be read into.
static inline X509 *_Nullable castle_read_certificate(BIO *_Nonnull bio, OSSL_LIB_CTX *_Nonnull library) {
  X509 *certificate = X509_new_ex(library, NULL);
  if (!certificate) return NULL;
  if (PEM_read_bio_X509(bio, &certificate, castle_no_password, NULL)) return certificate;
  X509_free(certificate);
  return NULL;
}
/// Whether the last failure of reading PEM was that there is no more of it.
static inline int castle_pem_ended(void) {
  unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/// Key and digest of a ticket's MAC.
static inline int castle_ticket_mac(EVP_MAC_CTX *_Nonnull mac, const uint8_t *_Nonnull key, size_t count) {
  OSSL_PARAM parameters[3] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key, count),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters);
}

/// What went wrong last, in OpenSSL's words; empties the queue of errors.
static inline void castle_tls_error(char *_Nonnull text, size_t capacity) {
  unsigned long error = ERR_peek_last_error();
  const char *reason = ERR_reason_error_string(error);
  if (reason) {
    strncpy(text, reason, capacity - 1);
    text[capacity - 1] = 0;
  } else {
    ERR_error_string_n(error, text, capacity);
  }
  ERR_clear_error();
}

static inline uint64_t castle_ssl_no_ticket(void) { return SSL_OP_NO_TICKET; }
static inline unsigned long castle_rfc2253(void) { return XN_FLAG_RFC2253; }
static inline void castle_free(void *_Nullable memory) { OPENSSL_free(memory); }
static inline int castle_cipher_count(const STACK_OF(SSL_CIPHER) *_Nullable list) {
  return list ? sk_SSL_CIPHER_num(list) : 0;
}
static inline const SSL_CIPHER *_Nullable castle_cipher_at(const STACK_OF(SSL_CIPHER) *_Nullable list, int index) {
  return sk_SSL_CIPHER_value(list, index);
}

/// Adds all revocation lists of a text to a store; their number, or -1.
static inline int castle_add_revocations(X509_STORE *_Nonnull store, BIO *_Nonnull bio) {
  int count = 0;
  for (;;) {
    X509_CRL *list = PEM_read_bio_X509_CRL(bio, NULL, castle_no_password, NULL);
    if (!list) return castle_pem_ended() ? count : -1;
    int added = X509_STORE_add_crl(store, list);
    X509_CRL_free(list);
    if (!added) return -1;
    count++;
  }
}

static const uint64_t CASTLE_TLS_OPTIONS =
    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_SSLv3;
