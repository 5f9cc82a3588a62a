// Server and client against each other, and the server against bytes written by hand.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "base/event_loop.h"
#include "base/http/client.h"
#include "base/http/server.h"
#include "base/testing/status_matchers.h"

namespace assay::http {
namespace {

using ::assay::testing::IsOk;
using ::assay::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kPatience = std::chrono::seconds(20);

template <typename T>
T Get(std::future<T> future) {
  EXPECT_EQ(future.wait_for(kPatience), std::future_status::ready) << "nothing came";
  return future.get();
}

const CertificateAuthority& Authority() {
  static const CertificateAuthority* authority =
      new CertificateAuthority(*CertificateAuthority::Create("assay-test"));
  return *authority;
}

// A server, and a client of it on a loop of its own.
class World {
 public:
  explicit World(Handler handler, ServerOptions options = {}, ClientOptions client_options = {})
      : World(std::move(options), std::move(handler)) {
    client_options.url = server_->url();
    if (client_options.ca_pem.empty()) {
      client_options.ca_pem = Authority().certificate_pem();
    }
    Connect(client_options);
  }
  ~World() {
    if (client_ != nullptr) {
      OnLoop([this] { client_.reset(); });
    }
    loop_.StopAndJoin();
  }

  Server& server() { return *server_; }
  Client& client() { return *client_; }
  RealEventLoop& loop() { return loop_; }

  void OnLoop(std::function<void()> task) {
    std::promise<void> done;
    loop_.Post([&] {
      task();
      done.set_value();
    });
    Get(done.get_future());
  }

  Result<Response> Call(ClientRequest request) {
    auto promise = std::make_shared<std::promise<Result<Response>>>();
    loop_.Post([this, promise, request = std::move(request)] {
      client_->Send(request, [promise](Result<Response> r) { promise->set_value(std::move(r)); });
    });
    return Get(promise->get_future());
  }

  struct StreamResult {
    int status = 0;
    std::string body;
    Status end;
  };
  StreamResult CallStream(ClientRequest request) {
    auto result = std::make_shared<StreamResult>();
    auto promise = std::make_shared<std::promise<void>>();
    loop_.Post([this, promise, result, request = std::move(request)] {
      client_->Stream(request,
                      {.on_response = [result](const Response& r) { result->status = r.status; },
                       .on_data = [result](std::string_view d) { result->body += d; },
                       .on_end =
                           [result, promise](Status status) {
                             result->end = std::move(status);
                             promise->set_value();
                           }});
    });
    Get(promise->get_future());
    return *result;
  }

 private:
  World(ServerOptions options, Handler handler) {
    Result<std::unique_ptr<Server>> server = Server::Start(std::move(options), std::move(handler));
    EXPECT_THAT(server, IsOk());
    server_ = *std::move(server);
    loop_.Start();
  }
  void Connect(ClientOptions options) {
    Result<std::unique_ptr<Client>> client = Client::Create(loop_, std::move(options));
    EXPECT_THAT(client, IsOk());
    client_ = *std::move(client);
  }

  std::unique_ptr<Server> server_;
  RealEventLoop loop_;
  std::unique_ptr<Client> client_;
};

ServerOptions Tls() { return {.tls = *Authority().IssueServer()}; }

void Echo(Request request, const std::shared_ptr<Responder>& responder) {
  std::string text = request.method + " " + request.path;
  for (const auto& [key, value] : request.query) {
    text += " " + key + "=" + value;
  }
  responder->Send({.status = 200,
                   .headers = {{"X-Agent", std::string(request.headers.Get("user-agent"))}},
                   .body = text + " " + request.body});
}

TEST(HttpTest, AnswersOverTlsAndPlain) {
  for (bool tls : {false, true}) {
    World world(Echo, tls ? Tls() : ServerOptions{}, {.user_agent = "test/1"});
    ASSAY_ASSERT_OK_AND_ASSIGN(
        Response response,
        world.Call({.method = "PUT", .target = "/a%20b?x=1%2C2&x=3", .body = "body"}));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "PUT /a b x=1,2 x=3 body");
    EXPECT_EQ(response.headers.Get("x-agent"), "test/1");
  }
}

TEST(HttpTest, ListensWhereItIsAskedTo) {
  for (const char* address : {"127.0.0.1", "0.0.0.0"}) {
    World world(Echo, {.address = address});
    EXPECT_THAT(world.Call({.target = "/"}), IsOk()) << address;
  }
  const auto nowhere = Server::Start({.address = "here"}, Echo);
  ASSERT_FALSE(nowhere.ok());
  EXPECT_EQ(nowhere.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(nowhere.status().message(), ::testing::HasSubstr("listening on here:0: "));
}

TEST(HttpTest, KeepsConnectionsAlive) {
  std::mutex mu;
  std::set<std::string> addresses;
  World world(
      [&](Request request, std::shared_ptr<Responder> responder) {
        std::lock_guard lock(mu);
        addresses.insert(request.peer.address);
        responder->Send({.body = "x"});
      },
      Tls());
  for (int i = 0; i < 5; ++i) {
    ASSERT_THAT(world.Call({.target = "/"}), IsOk());
  }
  EXPECT_EQ(addresses.size(), 1u);
}

TEST(HttpTest, LargeBodiesPassBothWays) {
  World world(
      [](Request request, std::shared_ptr<Responder> responder) {
        responder->Send({.body = request.body + request.body});
      },
      Tls());
  std::string body(2'500'000, 'b');
  ASSAY_ASSERT_OK_AND_ASSIGN(Response response,
                             world.Call({.method = "POST", .target = "/", .body = body}));
  EXPECT_EQ(response.body, body + body);
}

TEST(HttpTest, TellsTheHandlerOfABodyThatIsTooLarge) {
  World world(
      [](Request request, std::shared_ptr<Responder> responder) {
        responder->Send({.status = request.body_too_large ? 413 : 200});
      },
      {.max_body_bytes = 1000});
  ASSAY_ASSERT_OK_AND_ASSIGN(
      Response refused,
      world.Call({.method = "POST", .target = "/", .body = std::string(10'000'000, 'x')}));
  EXPECT_EQ(refused.status, 413);
  ASSAY_ASSERT_OK_AND_ASSIGN(
      Response taken,
      world.Call({.method = "POST", .target = "/", .body = std::string(1000, 'x')}));
  EXPECT_EQ(taken.status, 200);
}

TEST(HttpTest, StreamsChunksAndEnds) {
  World world(
      [](Request, std::shared_ptr<Responder> responder) {
        auto stream = responder->StartStream(200, {{"Content-Type", "text/plain"}});
        EXPECT_TRUE(stream->Write("one\n"));
        EXPECT_TRUE(stream->Write(std::string(100'000, 'x')));
        stream->End();
        EXPECT_FALSE(stream->Write("after the end"));
      },
      Tls());
  for (int i = 0; i < 2; ++i) {  // The second time on the same connection.
    auto result = world.CallStream({.target = "/"});
    EXPECT_THAT(result.end, IsOk());
    EXPECT_EQ(result.status, 200);
    EXPECT_EQ(result.body, "one\n" + std::string(100'000, 'x'));
  }
}

TEST(HttpTest, NoticesThatTheClientOfAStreamIsGone) {
  std::promise<void> closed;
  std::promise<void> started;
  World world(
      [&](Request, std::shared_ptr<Responder> responder) {
        auto stream = responder->StartStream(200, {});
        stream->OnClosed([&] { closed.set_value(); });
      },
      Tls());
  Client::CallId call = 0;
  world.OnLoop([&] {
    call = world.client().Stream({.target = "/"},
                                 {.on_response = [&](const Response&) { started.set_value(); },
                                  .on_end = [](const Status&) { FAIL() << "after Cancel"; }});
  });
  Get(started.get_future());
  world.OnLoop([&] { world.client().Cancel(call); });
  Get(closed.get_future());
}

TEST(HttpTest, DropsAWatcherThatDoesNotRead) {
  std::promise<void> closed;
  World world(
      [&](Request, std::shared_ptr<Responder> responder) {
        auto stream = responder->StartStream(200, {});
        stream->OnClosed([&] { closed.set_value(); });
        // Far more than the buffers of both sockets hold.
        for (int i = 0; i < 1000 && stream->Write(std::string(100'000, 'x')); ++i) {
        }
      },
      {.max_stream_buffer_bytes = 300'000});
  std::promise<Status> ended;
  std::promise<void> may_read;
  std::shared_future<void> gate = may_read.get_future().share();
  world.OnLoop([&] {
    world.client().Stream({.target = "/"},
                          {.on_data = [&, gate](std::string_view) { gate.wait(); },
                           .on_end = [&](Status s) { ended.set_value(std::move(s)); }});
  });
  Get(closed.get_future());
  may_read.set_value();
  EXPECT_THAT(Get(ended.get_future()), StatusIs(StatusCode::kUnavailable));
}

TEST(HttpTest, TellsWhenAStreamHasDrained) {
  World world([](Request, std::shared_ptr<Responder> responder) {
    auto stream = responder->StartStream(200, {});
    auto rounds = std::make_shared<int>(0);
    stream->OnDrained([stream = stream.get(), rounds] {
      if (++*rounds == 3) {
        stream->End();
      } else {
        stream->Write("more");
      }
    });
    stream->Write("first");
  });
  auto result = world.CallStream({.target = "/"});
  EXPECT_THAT(result.end, IsOk());
  EXPECT_EQ(result.body, "firstmoremore");
}

TEST(HttpTest, StopEndsStreamsProperly) {
  std::promise<void> started;
  World world(
      [&](Request, std::shared_ptr<Responder> responder) {
        responder->StartStream(200, {})->Write("x");
        started.set_value();
      },
      Tls());
  std::thread stopper([&] {
    Get(started.get_future());
    world.server().Stop();
  });
  auto result = world.CallStream({.target = "/"});
  stopper.join();
  EXPECT_THAT(result.end, IsOk());
  EXPECT_THAT(world.Call({.target = "/"}), StatusIs(StatusCode::kUnavailable));
}

TEST(HttpTest, AKeptResponderOutlivesTheServer) {
  std::shared_ptr<Responder> kept;
  {
    std::promise<void> asked;
    World world(
        [&](Request, std::shared_ptr<Responder> responder) {
          kept = std::move(responder);
          asked.set_value();
        },
        Tls());
    world.OnLoop([&] { world.client().Send({.target = "/"}, [](const Result<Response>&) {}); });
    Get(asked.get_future());
    world.server().Stop(std::chrono::milliseconds(1));
  }
  kept->Send({.body = "nobody listens"});
}

TEST(HttpTest, DeadlinePasses) {
  std::mutex mu;
  std::vector<std::shared_ptr<Responder>> kept;
  World world(
      [&](Request, std::shared_ptr<Responder> responder) {
        std::lock_guard lock(mu);
        kept.push_back(std::move(responder));
      },
      Tls());
  EXPECT_THAT(world.Call({.target = "/slow", .timeout = std::chrono::milliseconds(30)}),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("GET /slow")));
}

TEST(HttpTest, ADroppedAnswerIsUnavailable) {
  World world([](Request, std::shared_ptr<Responder> responder) { responder->Drop(); }, Tls());
  EXPECT_THAT(world.Call({.target = "/"}), StatusIs(StatusCode::kUnavailable));
}

TEST(HttpTest, AnAbortedStreamIsUnavailable) {
  World world([](Request, std::shared_ptr<Responder> responder) {
    auto stream = responder->StartStream(200, {});
    stream->OnDrained([stream = stream.get()] { stream->Abort(); });
    stream->Write("half");
  });
  auto result = world.CallStream({.target = "/"});
  EXPECT_THAT(result.end, StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(result.body, "half");
}

TEST(HttpTest, AnUnansweredRequestGetsA500) {
  World world([](Request, std::shared_ptr<Responder>) {});
  ASSAY_ASSERT_OK_AND_ASSIGN(Response response, world.Call({.target = "/"}));
  EXPECT_EQ(response.status, 500);
}

TEST(HttpTest, TrustsOnlyTheGivenAuthority) {
  auto other = CertificateAuthority::Create("other");
  World world(Echo, Tls(), {.ca_pem = other->certificate_pem()});
  EXPECT_THAT(world.Call({.target = "/"}), StatusIs(StatusCode::kPermissionDenied));

  World careless(Echo, Tls(), {.ca_pem = other->certificate_pem(), .insecure_skip_verify = true});
  EXPECT_THAT(careless.Call({.target = "/"}), IsOk());
}

TEST(HttpTest, AClientCertificateNamesThePeer) {
  auto handler = [](Request request, std::shared_ptr<Responder> responder) {
    std::string text = request.peer.common_name;
    for (const std::string& organization : request.peer.organizations) {
      text += "," + organization;
    }
    responder->Send({.body = text});
  };
  ServerOptions options = Tls();
  options.client_ca_pem = Authority().certificate_pem();
  World named(handler, options, {.client_certificate = *Authority().IssueClient("me", {"a", "b"})});
  ASSAY_ASSERT_OK_AND_ASSIGN(Response response, named.Call({.target = "/"}));
  EXPECT_EQ(response.body, "me,a,b");

  World nameless(handler, options);
  ASSAY_ASSERT_OK_AND_ASSIGN(response, nameless.Call({.target = "/"}));
  EXPECT_EQ(response.body, "");
}

TEST(HttpTest, HundredsOfStreamsAreOpenAtOnce) {
  constexpr int kStreams = 300;
  std::mutex mu;
  std::vector<std::shared_ptr<ResponseStream>> streams;
  std::promise<void> all_open;
  World world([&](Request, std::shared_ptr<Responder> responder) {
    std::lock_guard lock(mu);
    streams.push_back(responder->StartStream(200, {}));
    if (streams.size() == kStreams) {
      all_open.set_value();
    }
  });
  std::atomic<int> ended = 0;
  std::promise<void> all_ended;
  world.OnLoop([&] {
    for (int i = 0; i < kStreams; ++i) {
      auto body = std::make_shared<std::string>();
      world.client().Stream({.target = "/"},
                            {.on_data = [body](std::string_view data) { *body += data; },
                             .on_end =
                                 [&, body](const Status& status) {
                                   EXPECT_THAT(status, IsOk());
                                   EXPECT_EQ(*body, "event\n");
                                   if (++ended == kStreams) {
                                     all_ended.set_value();
                                   }
                                 }});
    }
  });
  Get(all_open.get_future());
  for (auto& stream : streams) {
    EXPECT_TRUE(stream->Write("event\n"));
    stream->End();
  }
  Get(all_ended.get_future());
}

TEST(HttpTest, RefusesUrlsAndPemsThatAreNone) {
  RealEventLoop loop;
  EXPECT_THAT(Client::Create(loop, {.url = "ftp://x"}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Client::Create(loop, {.url = "https://"}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Client::Create(loop, {.url = "https://x", .ca_pem = "none"}),
              StatusIs(StatusCode::kInvalidArgument));
}

// Writes `bytes` to a plain connection and returns all that comes back until it ends.
std::string Raw(std::uint16_t port, const std::string& bytes) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(fd);
  return answer;
}

TEST(HttpTest, RefusesMalformedRequests) {
  World world(Echo, {.max_header_bytes = 2000});
  std::uint16_t port = world.server().port();
  EXPECT_THAT(Raw(port, "nonsense\r\n\r\n"), HasSubstr("HTTP/1.1 400 "));
  EXPECT_THAT(Raw(port, "GET / HTTP/1.1\r\nA: " + std::string(3000, 'a') + "\r\n\r\n"),
              HasSubstr("HTTP/1.1 431 "));
  EXPECT_THAT(Raw(port, "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
              HasSubstr("HTTP/1.1 400 "));
}

TEST(HttpTest, AnswersPipelinedRequestsInOrderAndContinues) {
  World world(Echo);
  std::string answer = Raw(world.server().port(),
                           "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"
                           "POST /3 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
                           "Connection: close\r\n\r\nhi");
  std::size_t first = answer.find("GET /1");
  std::size_t second = answer.find("GET /2");
  std::size_t third = answer.find("HTTP/1.1 100 Continue");
  std::size_t fourth = answer.find("POST /3 hi");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_LT(third, fourth);
  EXPECT_NE(fourth, std::string::npos) << answer;
}

}  // namespace
}  // namespace assay::http
