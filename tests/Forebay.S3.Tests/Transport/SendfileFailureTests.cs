using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Forebay.S3.Transport;
using Forebay.Testing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;

namespace Forebay.S3.Tests.Transport;

public sealed class SendfileFailureTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task AClientThatLeavesInTheMiddleEndsTheRequestAndLeaksNoDescriptor()
    {
        const int Clients = 40;
        TestFile? file = null;
        CountdownEvent ended = new(Clients);
        int complete = 0;
        await using TransportHost host = await TransportHost.StartAsync(async context =>
        {
            context.Response.ContentLength = file!.Length;
            bool all;
            try
            {
                all = await SendfileBody.SendAsync(context, file.Handle, 0, file.Length, context.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                all = false;
            }

            if (all)
            {
                Interlocked.Increment(ref complete);
            }

            ended.Signal();
        });
        using TestFile _ = file = host.CreateFile(64 << 20);
        int before = Directory.GetFiles("/proc/self/fd").Length;

        for (int i = 0; i < Clients; i++)
        {
            using Socket client = host.Connect();
            client.Send(SendfileTransportTests.Get("/"));
            new HttpReader(client).ReadHead();
            client.LingerState = new LingerOption(i % 2 == 0, 0);
        }

        Assert.True(await Task.Run(() => ended.Wait(Patience)), "a request did not end after its client had left");
        Assert.Equal(0, complete);
        await host.DisposeAsync();

        // Other tests have some of their own for a while.
        await Eventually.TrueAsync($"there are no more descriptors than before ({before})", () => Directory.GetFiles("/proc/self/fd").Length <= before + 5);
    }

    [Fact]
    public async Task AFileThatIsShorterThanAnnouncedCutsTheConnection()
    {
        TestFile? file = null;
        TaskCompletionSource<bool> outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TransportHost host = await TransportHost.StartAsync(async context =>
        {
            context.Response.ContentLength = file!.Length + 1000;
            try
            {
                outcome.SetResult(await SendfileBody.SendAsync(context, file.Handle, 0, file.Length + 1000, CancellationToken.None));
            }
            catch (IOException e)
            {
                outcome.SetException(e);
            }
        });
        using TestFile _ = file = host.CreateFile(200_000);
        using Socket client = host.Connect();
        HttpReader reader = new(client);

        client.Send(SendfileTransportTests.Get("/"));
        long announced = HttpReader.ContentLength(reader.ReadHead());
        long received = await Task.Run(reader.CountToEnd).WaitAsync(Patience);

        Assert.True(received < announced, "the missing bytes were made up");
        await Assert.ThrowsAsync<IOException>(() => outcome.Task.WaitAsync(Patience));
    }

    [Fact]
    public async Task CancellingBetweenFirstAndLastByteCutsTheConnection()
    {
        TestFile? file = null;
        using CancellationTokenSource cancel = new();
        await using TransportHost host = await TransportHost.StartAsync(async context =>
        {
            context.Response.ContentLength = file!.Length;
            await SendfileBody.SendAsync(context, file.Handle, 0, file.Length, cancel.Token);
        });
        using TestFile _ = file = host.CreateFile(64 << 20);
        using Socket client = host.Connect(receiveBuffer: 4096);
        HttpReader reader = new(client);

        client.Send(SendfileTransportTests.Get("/"));
        reader.ReadHead();
        await cancel.CancelAsync();
        long received = await Task.Run(reader.CountToEnd).WaitAsync(Patience);

        Assert.True(received < file.Length);
    }

    [Fact]
    public async Task AClientThatReadsNothingIsCutOffByTheMinimumDataRate()
    {
        TestFile? file = null;
        TaskCompletionSource<bool> outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TransportHost host = await TransportHost.StartAsync(
            async context =>
            {
                context.Response.ContentLength = file!.Length;
                outcome.TrySetResult(await SendfileBody.SendAsync(context, file.Handle, 0, file.Length, CancellationToken.None));
            },
            configure: options => options.Limits.MinResponseDataRate = new MinDataRate(1e9, TimeSpan.FromSeconds(1.5)));
        using TestFile _ = file = host.CreateFile(64 << 20);
        using Socket client = host.Connect(receiveBuffer: 4096);

        client.Send(SendfileTransportTests.Get("/"));

        Assert.False(await outcome.Task.WaitAsync(Patience));
    }

    [Fact]
    public async Task AFlushOfOrdinaryBytesWaitsUntilTheClientTakesThem()
    {
        const int Chunks = 64;
        byte[] chunk = RandomNumberGenerator.GetBytes(1 << 20);
        int flushed = 0;
        await using TransportHost host = await TransportHost.StartAsync(async context =>
        {
            context.Response.ContentLength = (long)Chunks * chunk.Length;
            for (int i = 0; i < Chunks; i++)
            {
                await context.Response.BodyWriter.WriteAsync(chunk);
                Interlocked.Increment(ref flushed);
            }
        });
        using Socket client = host.Connect(receiveBuffer: 65536);
        HttpReader reader = new(client);

        client.Send(SendfileTransportTests.Get("/"));
        reader.ReadHead();
        Assert.True(Volatile.Read(ref flushed) < Chunks, "the server took more than the socket could hold");
        string hash = await Task.Run(() => reader.HashOf((long)Chunks * chunk.Length)).WaitAsync(Patience);

        using IncrementalHash expected = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        for (int i = 0; i < Chunks; i++)
        {
            expected.AppendData(chunk);
        }

        Assert.Equal(Convert.ToHexString(expected.GetHashAndReset()), hash);
    }

    [Theory]
    [InlineData(false, "1.1", true, true)]
    [InlineData(true, "1.1", true, false)]
    [InlineData(true, "2.0", true, false)]
    [InlineData(false, "2.0", true, false)]
    [InlineData(false, "1.1", false, false)]
    public async Task WhereTheTransportIsFramedTheBytesAreCopied(bool tls, string version, bool withLength, bool isAvailable)
    {
        TestFile? file = null;
        bool? available = null;
        HttpProtocols protocols = version == "2.0" ? HttpProtocols.Http2 : HttpProtocols.Http1;
        await using TransportHost host = await TransportHost.StartAsync(
            async context =>
            {
                if (withLength)
                {
                    context.Response.ContentLength = file!.Length;
                }

                available = SendfileBody.IsAvailable(context);
                await SendfileBody.SendAsync(context, file!.Handle, 0, file.Length, context.RequestAborted);
            },
            protocols,
            tls);
        using TestFile _ = file = host.CreateFile(3_000_001);
        using SocketsHttpHandler handler = new();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.Subject == "CN=localhost";
        using HttpClient client = new(handler) { DefaultRequestVersion = Version.Parse(version), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };

        byte[] body = await client.GetByteArrayAsync($"{(tls ? "https" : "http")}://{IPAddress.Loopback}:{host.Port}/");

        Assert.Equal(isAvailable, available);
        Assert.Equal(file.Read(0, (int)file.Length), body);
    }
}
