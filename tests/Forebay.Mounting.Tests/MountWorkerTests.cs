using System.IO.Pipes;
using System.Text;
using Forebay.Mounting.Messages;
using Forebay.Mounting.Processes;
using Forebay.Mounting.Working;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Tests;

/// <summary>A worker whose holder is the test; what it serves does nothing.</summary>
public sealed class MountWorkerTests : IDisposable
{
    /// <summary>What a pipe takes before somebody reads it.</summary>
    private const int PipeBytes = 65_536;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TempDirectory _directory = new();
    private readonly AnonymousPipeServerStream _terminal = new(PipeDirection.Out);
    private readonly MessageSocket _holder;
    private readonly MessageSocket _workersEnd;

    public MountWorkerTests() => (_holder, _workersEnd) = MessageSocket.Pair();

    public void Dispose()
    {
        _holder.Dispose();
        _workersEnd.Dispose();
        _terminal.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task AHaltedTerminalDoesNotKeepAWorkerFromAnsweringItsHolder()
    {
        using AnonymousPipeClientStream reader = new(PipeDirection.In, _terminal.ClientSafePipeHandle);
        Task<int> worker = Start();
        Begin();
        await ExpectAsync(MessageKind.Serving);
        _terminal.Write(new byte[PipeBytes]);

        _holder.Send(new MessageWriter(MessageKind.Failed).Number(1).Text("lost"));
        _holder.Send(new MessageWriter(MessageKind.Ask));

        await ExpectAsync(MessageKind.Alive);
        reader.ReadExactly(new byte[PipeBytes]);
        _holder.Send(new MessageWriter(MessageKind.Failed).Number(1).Text("told"));
        _holder.Send(new MessageWriter(MessageKind.Ask));
        await ExpectAsync(MessageKind.Alive);
        Assert.Equal("(1 lines were left out here) forebay: told\n", await ReadSomeAsync(reader));
        _holder.Send(new MessageWriter(MessageKind.Failed).Number(1).Text("told again"));
        _holder.Send(new MessageWriter(MessageKind.Ask));
        await ExpectAsync(MessageKind.Alive);
        Assert.Equal("forebay: told again\n", await ReadSomeAsync(reader));
        _holder.Send(new MessageWriter(MessageKind.Drain));
        Assert.Equal(MountExit.Success, await worker.WaitAsync(Patience));
    }

    private static async Task<string> ReadSomeAsync(AnonymousPipeClientStream reader)
    {
        byte[] some = new byte[200];
        int count = await reader.ReadAsync(some).AsTask().WaitAsync(Patience);
        return Encoding.UTF8.GetString(some, 0, count);
    }

    private Task<int> Start()
    {
        int descriptor = _workersEnd.Descriptor;
        _workersEnd.Handle.SetHandleAsInvalid();
        return Task.Factory.StartNew(
            () =>
            {
                using StandardError error = new((int)_terminal.SafePipeHandle.DangerousGetHandle());
                using MountWorker worker = new(descriptor, "test", static (_, _) => new IdleService(), error);
                return worker.Run();
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private void Begin()
    {
        using SafeFileHandle memory = SharedMemory.Create(4096);
        using SafeFileHandle device = File.OpenHandle("/dev/null");
        MessageWriter describe = new(MessageKind.Describe);
        new MountDescription
        {
            Source = "idle",
            SourceArgument = "idle",
            Name = "idle",
            Directory = "/mnt/idle",
            Executable = "/not/there",
            RegionBytes = 4096,
            RuntimeDirectory = _directory["run"],
        }.Write(describe);
        Assert.True(_holder.Send(describe, memory));
        Assert.True(_holder.Send(new MessageWriter(MessageKind.Begin).Blob([1]), device));
    }

    /// <summary>Passes over what came before.</summary>
    private Task ExpectAsync(MessageKind kind) => Task.Run(() =>
    {
        while (true)
        {
            using ReceivedMessage message = _holder.Receive() ?? throw new InvalidOperationException($"the worker ended before it said {kind}");
            if (message.Read().Kind == kind)
            {
                return;
            }
        }
    }).WaitAsync(Patience);

    private sealed class IdleService : MountService
    {
        private readonly TaskCompletionSource _ended = new();

        public override Task Ended => _ended.Task;

        public override Task<string?> OpenAsync(bool checkSource, CancellationToken cancellationToken) => Task.FromResult<string?>(null);

        public override Task<MountServing> ServeAsync(SafeFileHandle device, byte[]? connection, Action answered) => Task.FromResult(new MountServing([1], Passthrough: false));

        public override Task DrainAsync(CancellationToken cancellationToken)
        {
            _ended.SetResult();
            return Task.CompletedTask;
        }

        public override ValueTask DisposeAsync() => default;
    }
}
