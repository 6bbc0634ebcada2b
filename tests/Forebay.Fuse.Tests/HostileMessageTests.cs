using System.Runtime.InteropServices;
using Forebay.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Forebay.Fuse.Tests;

/// <summary>Messages that no kernel sends: refused, never a crash, an over-read or a request left open.</summary>
public sealed partial class HostileMessageTests(ITestOutputHelper output) : IDisposable
{
    private const int Mutations = 40_000;

    private readonly ScriptedFileSystem _fileSystem = new();
    private readonly NotingObserver _observer = new();
    private readonly RecordingSink _sink = new();
    private FuseDispatcher? _dispatcher;

    private FuseDispatcher Dispatcher
    {
        get
        {
            if (_dispatcher is null)
            {
                _dispatcher = new FuseDispatcher(_fileSystem, new FuseConnectionOptions(), null, _sink, _observer);
                _dispatcher.Dispatch(Captured.Init);
                _sink.Messages.Clear();
                _observer.Completions.Clear();
            }

            return _dispatcher;
        }
    }

    [Fact]
    public void EveryTruncationOfEveryMessageIsRefused()
    {
        foreach (byte[] message in Captured.Requests.Where(static message => message.Length > 40))
        {
            for (int length = 0; length < message.Length; length++)
            {
                byte[] cut = message[..length];
                Dispatcher.Dispatch(cut);
                if (length >= 4)
                {
                    // Also with a length that fits: then the arguments are what is short.
                    BitConverter.TryWriteBytes(cut, length);
                    Dispatcher.Dispatch(cut);
                }
            }
        }

        Assert.Empty(_fileSystem.Calls);
        Assert.All(_sink.Messages, static answer => Assert.Equal(-Errno.EINVAL, BitConverter.ToInt32(answer, 4)));
        Assert.Equal(0, Dispatcher.OpenRequests);
    }

    [Fact]
    public void BytesAfterTheArgumentsAreRefused()
    {
        foreach (byte[] message in Captured.Requests)
        {
            byte[] longer = [.. message, 0x41];
            BitConverter.TryWriteBytes(longer, longer.Length);

            Dispatcher.Dispatch(longer);
        }

        Assert.Empty(_fileSystem.Calls);
        Assert.Equal(Captured.Requests.Length, _sink.Messages.Count(static answer => BitConverter.ToInt32(answer, 4) == -Errno.EINVAL));
    }

    [Theory]
    [InlineData("")]
    [InlineData("6100620000")]
    [InlineData("61")]
    [InlineData("00")]
    [InlineData("612f6200")]
    public void ANameThatIsNoneIsRefused(string hex)
    {
        Dispatcher.Dispatch(FakeKernel.Message(FuseOpcode.Lookup, 2, 1, Convert.FromHexString(hex)));

        Assert.Empty(_fileSystem.Calls);
        Assert.Equal(-Errno.EINVAL, BitConverter.ToInt32(Assert.Single(_sink.Messages), 4));
    }

    /// <summary>Of any program; too long for the file system, not for the protocol.</summary>
    [Theory]
    [InlineData(1025, true)]
    [InlineData(4095, true)]
    [InlineData(4096, false)]
    public void TheLongestNamesOfTheKernelAreTheFileSystemsToRefuse(int length, bool isHandedOn)
    {
        Dispatcher.Dispatch(FakeKernel.Message(FuseOpcode.Lookup, 2, 1, [.. Enumerable.Repeat((byte)'n', length), 0]));

        Assert.Equal(isHandedOn ? 1 : 0, _fileSystem.Calls.Count);
        Assert.Equal(isHandedOn ? 0 : 1, _observer.Faults.Count);
    }

    [Theory]
    [InlineData(0x10000000U)]
    [InlineData(uint.MaxValue)]
    [InlineData(3U)]
    public void ACountOfForgetsThatIsNotThereIsDropped(uint count)
    {
        byte[] arguments = [.. FakeKernel.Bytes(count), 0, 0, 0, 0, .. new byte[32]];

        Dispatcher.Dispatch(FakeKernel.Message(FuseOpcode.BatchForget, 0, 0, arguments));

        Assert.Empty(_fileSystem.Forgotten);
        Assert.Empty(_sink.Messages);
        Assert.Equal(FuseFaultKind.Malformed, Assert.Single(_observer.Faults).Kind);
    }

    [Theory]
    [InlineData(7U)]
    [InlineData(54U)]
    [InlineData(4096U)]
    [InlineData(uint.MaxValue)]
    public void AnUnknownOpcodeIsAnsweredWithNotImplemented(uint opcode)
    {
        Dispatcher.Dispatch(FakeKernel.Message((FuseOpcode)opcode, 2, 1, [1, 2, 3]));

        Assert.Equal(-Errno.ENOSYS, BitConverter.ToInt32(Assert.Single(_sink.Messages), 4));
    }

    [Fact]
    public void ExtensionsAtTheEndAreLeftAside()
    {
        byte[] message = [.. Captured.Of(FuseOpcode.Lookup), .. new byte[16]];
        BitConverter.TryWriteBytes(message, message.Length);
        BitConverter.TryWriteBytes(message.AsSpan(36), (ushort)2);

        Dispatcher.Dispatch(message);

        Assert.Equal(["Lookup 1 f"], _fileSystem.Calls);
    }

    [Fact]
    public void ExtensionsLargerThanTheMessageAreRefused()
    {
        byte[] message = [.. Captured.Of(FuseOpcode.Lookup)];
        BitConverter.TryWriteBytes(message.AsSpan(36), ushort.MaxValue);

        Dispatcher.Dispatch(message);

        Assert.Equal(-Errno.EINVAL, BitConverter.ToInt32(Assert.Single(_sink.Messages), 4));
    }

    [Fact]
    public void NothingIsServedBeforeInitAndNoSecondInitAfter()
    {
        using FuseDispatcher fresh = new(_fileSystem, new FuseConnectionOptions(), null, _sink, _observer);

        fresh.Dispatch(Captured.Of(FuseOpcode.GetAttr));
        fresh.Dispatch(Captured.Init);
        fresh.Dispatch(Captured.Init);

        Assert.Empty(_fileSystem.Calls);
        Assert.Equal([-Errno.ENOTCONN, 0, -Errno.EINVAL], _sink.Messages.Select(static answer => BitConverter.ToInt32(answer, 4)));
    }

    /// <summary>Each mutant lies at the very end of a mapping whose next page may not be touched, so that reading one byte too far ends the process.</summary>
    [Fact]
    public void MutantsOfCapturedMessagesNeverCrashAndAreAlwaysAnswered()
    {
        int seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        Random random = new(seed);
        using GuardedPage page = new();
        for (int i = 0; i < Mutations; i++)
        {
            byte[] mutant = Mutate(random, Captured.Requests[random.Next(Captured.Requests.Length)]);
            _sink.Messages.Clear();

            Dispatcher.Dispatch(page.Place(mutant));

            uint opcode = mutant.Length >= 8 ? BitConverter.ToUInt32(mutant, 4) : 0;
            bool isAnswered = mutant.Length >= 40 && FuseOperation.Find(opcode) is not { HasReply: false };
            Assert.True(_sink.Messages.Count == (isAnswered ? 1 : 0), $"seed {seed}, mutant {i}: {Convert.ToHexString(mutant)} got {_sink.Messages.Count} answers");
        }

        Assert.Equal(0, Dispatcher.OpenRequests);
        Assert.Equal(0, Dispatcher.OutstandingBuffers);
        Assert.DoesNotContain(_observer.Faults, static fault => fault.Kind == FuseFaultKind.Handler);
    }

    public void Dispose() => _dispatcher?.Dispose();

    private static byte[] Mutate(Random random, byte[] message)
    {
        byte[] mutant = random.Next(4) switch
        {
            0 => message[..random.Next(message.Length + 1)],
            1 => [.. message, .. new byte[random.Next(64)]],
            _ => [.. message],
        };
        for (int changes = random.Next(4); changes > 0 && mutant.Length > 0; changes--)
        {
            mutant[random.Next(mutant.Length)] = (byte)(random.Next(3) switch { 0 => 0, 1 => 0xFF, _ => random.Next(256) });
        }

        if (random.Next(2) == 0 && mutant.Length >= 4)
        {
            BitConverter.TryWriteBytes(mutant, mutant.Length);
        }

        return mutant;
    }

    /// <summary>A page of memory with a forbidden one after it.</summary>
    private sealed unsafe partial class GuardedPage : IDisposable
    {
        private readonly byte* _start;

        internal GuardedPage()
        {
            _start = (byte*)Map(null, 8192, 3, 0x22, -1, 0);
            Assert.Equal(0, Protect(_start + 4096, 4096, 0));
        }

        internal ReadOnlySpan<byte> Place(byte[] message)
        {
            Span<byte> place = new(_start + 4096 - message.Length, message.Length);
            message.CopyTo(place);
            return place;
        }

        public void Dispose() => _ = Unmap(_start, 8192);

        [LibraryImport("libc", EntryPoint = "mmap")]
        private static partial void* Map(void* address, nint length, int protection, int flags, int file, nint offset);

        [LibraryImport("libc", EntryPoint = "mprotect")]
        private static partial int Protect(void* address, nint length, int protection);

        [LibraryImport("libc", EntryPoint = "munmap")]
        private static partial int Unmap(void* address, nint length);
    }
}
