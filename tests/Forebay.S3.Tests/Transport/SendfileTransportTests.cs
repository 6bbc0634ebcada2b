using System.Net.Sockets;
using System.Text;
using Forebay.S3.Transport;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Forebay.S3.Tests.Transport;

public sealed class SendfileTransportTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(1)]
    [InlineData(4095)]
    [InlineData(65536)]
    [InlineData((1 << 20) + 17)]
    [InlineData((1L << 30) + 4097)]
    public async Task AnObjectArrivesByteForByte(long length)
    {
        TestFile? file = null;
        await using TransportHost host = await TransportHost.StartAsync(context => SendWhole(context, file!));
        using TestFile _ = file = host.CreateFile(length);
        using Socket client = host.Connect();

        client.Send(Get("/"));
        (string head, string hash) = await Task.Run(new HttpReader(client).ReadResponse).WaitAsync(Patience);

        Assert.StartsWith("HTTP/1.1 200", head, StringComparison.Ordinal);
        Assert.Equal(file.Hash(), hash);
    }

    [Fact]
    public async Task ARangeAtAnOddOffsetArrivesToAClientWithASmallWindow()
    {
        const long Offset = 12_345;
        const long Length = (8L << 20) + 4_321;
        TestFile? file = null;
        await using TransportHost host = await TransportHost.StartAsync(async context =>
        {
            context.Response.ContentLength = Length;
            Assert.True(await SendfileBody.SendAsync(context, file!.Handle, Offset, Length, context.RequestAborted));
        });
        using TestFile _ = file = host.CreateFile(9 << 20);
        using Socket client = host.Connect(receiveBuffer: 16384);

        client.Send(Get("/"));
        (string _, string hash) = await Task.Run(new HttpReader(client).ReadResponse).WaitAsync(Patience);

        Assert.Equal(file.Hash(Offset, Length), hash);
    }

    [Fact]
    public async Task PipelinedAndKeptAliveRequestsAreAnsweredInOrderOnOneConnection()
    {
        List<TestFile> files = [];
        await using TransportHost host = await TransportHost.StartAsync(context => Answer(context, files));
        files.AddRange(Enumerable.Range(0, 10).Select(i => host.CreateFile(1 + (i * 30_011), seed: i)));
        using Socket client = host.Connect();
        HttpReader reader = new(client);

        for (int round = 0; round < 30; round++)
        {
            string requests = string.Concat(Enumerable.Range(0, 10).Select(i => Encoding.ASCII.GetString(Get($"/{i}"))));
            client.Send(Encoding.ASCII.GetBytes(requests));
            for (int i = 0; i < files.Count; i++)
            {
                (string _, string hash) = await Task.Run(reader.ReadResponse).WaitAsync(Patience);
                Assert.Equal(files[i].Hash(), hash);
            }
        }

        files.ForEach(f => f.Dispose());

        // Every third answer is an ordinary one, so that both kinds alternate on the connection.
        static Task Answer(HttpContext context, List<TestFile> files)
        {
            TestFile file = files[int.Parse(context.Request.Path.Value![1..])];
            if (int.Parse(context.Request.Path.Value![1..]) % 3 != 0)
            {
                return SendWhole(context, file);
            }

            context.Response.ContentLength = file.Length;
            return context.Response.Body.WriteAsync(file.Read(0, (int)file.Length)).AsTask();
        }
    }

    [Fact]
    public async Task SixtyFourConnectionsEachGetTheirOwnBytes()
    {
        List<TestFile> files = [];
        await using TransportHost host = await TransportHost.StartAsync(c => SendWhole(c, files[int.Parse(c.Request.Path.Value![1..])]));
        files.AddRange(Enumerable.Range(0, 8).Select(i => host.CreateFile(200_000 + (i * 70_001), seed: i)));
        string[] expected = [.. files.Select(f => f.Hash())];

        // Threads of their own: blocked pool threads would starve the server in the same process.
        Task[] clients = [.. Enumerable.Range(0, 64).Select(connection => Task.Factory.StartNew(
            () => ReadAll(connection), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        await Task.WhenAll(clients).WaitAsync(Patience);
        files.ForEach(f => f.Dispose());

        void ReadAll(int connection)
        {
            using Socket client = host.Connect();
            HttpReader reader = new(client);
            for (int i = 0; i < 20; i++)
            {
                int name = (connection + i) % files.Count;
                client.Send(Get($"/{name}"));
                Assert.Equal(expected[name], reader.ReadResponse().Hash);
            }
        }
    }

    [Fact]
    public async Task ABodyIsComposedOfWritesAndPiecesOfSeveralFiles()
    {
        TestFile? first = null;
        TestFile? second = null;
        byte[] text = Encoding.ASCII.GetBytes(new string('x', 100_000));
        await using TransportHost host = await TransportHost.StartAsync(async context =>
        {
            context.Response.ContentLength = (2 * text.Length) + 70_000 + 5;
            await context.Response.BodyWriter.WriteAsync(text);
            Assert.True(await SendfileBody.SendAsync(context, first!.Handle, 11, 30_000, context.RequestAborted));
            Assert.True(await SendfileBody.SendAsync(context, second!.Handle, 0, 40_000, context.RequestAborted));
            await context.Response.BodyWriter.WriteAsync(text);
            Assert.True(await SendfileBody.SendAsync(context, first!.Handle, 7, 5, context.RequestAborted));
        });
        using TestFile f1 = first = host.CreateFile(50_000, seed: 1);
        using TestFile f2 = second = host.CreateFile(50_000, seed: 2);
        using Socket client = host.Connect();
        HttpReader reader = new(client);
        byte[] expected = [.. text, .. first.Read(11, 30_000), .. second.Read(0, 40_000), .. text, .. first.Read(7, 5)];

        for (int i = 0; i < 3; i++)
        {
            client.Send(Get("/"));
            string head = reader.ReadHead();
            Assert.Equal(expected, reader.ReadBytes((int)HttpReader.ContentLength(head)));
        }
    }

    [Fact]
    public async Task HeadSendsTheLengthAndNoByteOfTheFile()
    {
        TestFile? file = null;
        await using TransportHost host = await TransportHost.StartAsync(context => SendWhole(context, file!));
        using TestFile _ = file = host.CreateFile(100_000);
        using Socket client = host.Connect();
        HttpReader reader = new(client);

        client.Send(Encoding.ASCII.GetBytes("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n"));
        Assert.Equal(100_000, HttpReader.ContentLength(reader.ReadHead()));
        client.Send(Get("/"));

        Assert.Equal(file.Hash(), reader.ReadResponse().Hash);
    }

    [Fact]
    public async Task ARequestWithExpectContinueIsAnsweredAfterItsBody()
    {
        TestFile? file = null;
        await using TransportHost host = await TransportHost.StartAsync(async context =>
        {
            using MemoryStream body = new();
            await context.Request.Body.CopyToAsync(body);
            Assert.Equal(5, body.Length);
            await SendWhole(context, file!);
        });
        using TestFile _ = file = host.CreateFile(100_000);
        using Socket client = host.Connect();
        HttpReader reader = new(client);

        client.Send(Encoding.ASCII.GetBytes("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
        Assert.StartsWith("HTTP/1.1 100", reader.ReadHead(), StringComparison.Ordinal);
        client.Send("hello"u8);

        Assert.Equal(file.Hash(), reader.ReadResponse().Hash);
    }

    [Fact]
    public async Task AConnectionThatIsToBeClosedEndsAfterTheLastByte()
    {
        TestFile? file = null;
        await using TransportHost host = await TransportHost.StartAsync(context => SendWhole(context, file!));
        using TestFile _ = file = host.CreateFile(3_000_000);
        using Socket client = host.Connect();
        HttpReader reader = new(client);

        client.Send(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        (string _, string hash) = reader.ReadResponse();

        Assert.Equal(file.Hash(), hash);
        Assert.Equal(0, reader.CountToEnd());
    }

    internal static Task SendWhole(HttpContext context, TestFile file)
    {
        context.Response.ContentLength = file.Length;
        return SendfileBody.SendAsync(context, file.Handle, 0, file.Length, context.RequestAborted).AsTask();
    }

    internal static byte[] Get(string path) => Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
}
