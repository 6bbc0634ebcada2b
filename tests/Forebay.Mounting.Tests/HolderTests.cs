using System.Net.Sockets;
using Forebay.Fuse;
using Forebay.Mounting.Holding;
using Forebay.Mounting.Messages;
using Forebay.Mounting.Options;
using Forebay.Mounting.Processes;
using Forebay.Mounting.Registry;
using Microsoft.Win32.SafeHandles;

namespace Forebay.Mounting.Tests;

/// <summary>A holder over a kernel that is told what to say; the worker is the test, and no other one can be started. Alone: one of them takes all descriptors of the process.</summary>
[Collection(nameof(HolderTests))]
public sealed class HolderTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TempDirectory _directory = new();
    private readonly ManualTimeProvider _time = new();
    private readonly CountingClock _clock;
    private readonly ScriptedKernel _kernel = new();
    private readonly MessageSocket _worker;
    private readonly MessageSocket _holdersEnd;
    private readonly StringWriter _log = new();

    public HolderTests()
    {
        _clock = new CountingClock(_time);
        (_worker, _holdersEnd) = MessageSocket.Pair();
        _kernel.Mounts = [ScriptedKernel.Ours];
    }

    private MountDescription Description => new()
    {
        Source = "pattern",
        SourceArgument = "pattern",
        Name = "pattern",
        Directory = "/mnt/held",
        Executable = "/not/there/any/more",
        RegionBytes = 4096,
        RuntimeDirectory = _directory["run"],
    };

    public void Dispose()
    {
        _clock.GoOn();
        _worker.Dispose();
        _holdersEnd.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task WithoutAnExecutableToStartTheMountEndsInsteadOfHanging(bool isInUse)
    {
        _kernel.IsInUse = isInUse;
        Task<int> holder = Adopt();

        _worker.Dispose();

        Assert.Equal(MountExit.Failure, await EndAsync(holder));
        Assert.Equal(isInUse ? [UnmountMode.Force, UnmountMode.Lazy] : [UnmountMode.Force], _kernel.Unmounts);
        Assert.Empty(Directory.GetFiles(_directory["run"], "*.mount"));
    }

    [Fact]
    public async Task AMountThatMayNotBeTakenAwayIsStillGivenUp()
    {
        _kernel.Refuses = true;
        Task<int> holder = Adopt();

        _worker.Dispose();

        Assert.Equal(MountExit.Failure, await EndAsync(holder));
        Assert.Contains("may not be", _log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatIsMountedAtItsDirectoryByThenIsNotEnded()
    {
        Task<int> holder = Adopt();
        await ReadAsync(MessageKind.Ask);
        _kernel.Mounts = [ScriptedKernel.Others];

        _worker.Send(new MessageWriter(MessageKind.Unmount));
        _worker.Send(new MessageWriter(MessageKind.Unmount));

        Assert.Equal(MountExit.Success, await EndAsync(holder));
        Assert.Empty(_kernel.Unmounts);
    }

    [Fact]
    public async Task OneThatIsOutOfSightLetsGoOfItsDirectory()
    {
        Task<int> holder = Adopt();
        await ReadAsync(MessageKind.Ask);
        MountRegistry registry = new(_directory["run"]);
        string id = MountRegistry.IdOf("/mnt/held");
        Assert.Null(registry.TryLock(id));

        _kernel.Mounts = [];

        await Eventually.TrueAsync("the lock is free again and the entry is gone", () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            using SafeFileHandle? free = registry.TryLock(id);
            return free is not null;
        });
        Assert.Empty(Directory.GetFiles(_directory["run"], "*.mount"));
        _kernel.Gone = true;
        _worker.Dispose();
        Assert.Equal(MountExit.Success, await EndAsync(holder));
        Assert.Empty(Directory.GetDirectories(_directory["run"]));
    }

    [Fact]
    public async Task ARuntimeDirectoryThatWasCleanedIsFilledAgain()
    {
        Task<int> holder = Adopt();
        await ReadAsync(MessageKind.Ask);
        string[] before = Files();
        Directory.Delete(_directory["run"], recursive: true);

        await Eventually.TrueAsync("the directory is as it was", () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return Files().SequenceEqual(before, StringComparer.Ordinal);
        });

        Assert.Null(new MountRegistry(_directory["run"]).TryLock(MountRegistry.IdOf("/mnt/held")));
        _kernel.Gone = true;
        _worker.Dispose();
        await EndAsync(holder);
    }

    [Fact]
    public async Task WithoutADescriptorItPausesAndTakesWhoSteersItLater()
    {
        Task<int> holder = Adopt();
        await ReadAsync(MessageKind.Ask);
        using Socket socket = new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified);
        UnixDomainSocketEndPoint place = new(HoldersPlace());
        long looks;

        // What else it would come round for is an hour off: only the end of its pause is left.
        _clock.PutBack(TimeSpan.FromHours(1));
        using (NoDescriptors.Begin())
        {
            Connect(socket, place);
            long before = _clock.Looks;
            SpinWait.SpinUntil(() => _clock.Looks > before + 1000, TimeSpan.FromMilliseconds(300));
            looks = _clock.Looks - before;
        }

        Assert.InRange(looks, 0, 1000);
        using MessageSocket client = new(new SafeFileHandle(socket.Handle, ownsHandle: false));
        Assert.True(client.Send(new MessageWriter(MessageKind.Answered)));
        await Eventually.TrueAsync("the holder answers", () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return client.Wait(TimeSpan.Zero);
        });
        using ReceivedMessage? answer = client.Receive();
        Assert.Equal(MessageKind.Failed, answer!.Read().Kind);
        _kernel.Gone = true;
        _worker.Dispose();
        await EndAsync(holder);
    }

    /// <summary>A new worker's end ends the upgrade, and with it the client, who has hung up in the same round.</summary>
    [Fact]
    public async Task AClientThatAWorkersEndHasAnsweredIsNotListenedToAnyMore()
    {
        Task<int> holder = Adopt();
        await ReadAsync(MessageKind.Ask);
        MessageSocket client = MessageSocket.Connect(HoldersPlace());
        client.Send(new MessageWriter(MessageKind.Upgrade).Text(WorkerThatLetsGoOfItsHolder()));
        Assert.True(SpinWait.SpinUntil(() => File.Exists(_directory["begun"]), Patience), "no new worker");
        Halt();
        await Task.Run(() => File.OpenHandle(_directory["end"], FileMode.Open, FileAccess.Write).Dispose()).WaitAsync(Patience);
        Assert.True(SpinWait.SpinUntil(() => File.Exists(_directory["ended"]), Patience), "the new worker does not end");
        client.Dispose();

        _clock.GoOn();

        using MessageSocket next = MessageSocket.Connect(HoldersPlace());
        next.Send(new MessageWriter(MessageKind.Answered));
        Assert.True(next.Wait(Patience), "the holder does not answer the next one");
        using ReceivedMessage? answer = next.Receive();
        Assert.Equal(MessageKind.Failed, answer!.Read().Kind);
        _kernel.Gone = true;
        _worker.Dispose();
        Assert.Equal(MountExit.Success, await EndAsync(holder));
        Assert.Contains("upgrade refused: the new worker ended", _log.ToString(), StringComparison.Ordinal);
    }

    /// <summary>A worker's message has the holder listen at a new socket, in the same round in which somebody came to the old one.</summary>
    [Fact]
    public async Task NobodyIsTakenFromASocketThatAWorkersMessageHasReplaced()
    {
        Task<int> holder = Adopt();
        await ReadAsync(MessageKind.Ask);
        Halt();
        using MessageSocket early = MessageSocket.Connect(HoldersPlace());
        File.Delete(HoldersPlace());
        _worker.Send(Serving());

        _clock.GoOn();

        Assert.True(early.Wait(Patience), "it is not told that nobody listens any more");
        Assert.Null(early.Receive());
        _kernel.Gone = true;
        _worker.Dispose();
        Assert.Equal(MountExit.Success, await EndAsync(holder));
    }

    private string HoldersPlace() => new MountRegistry(_directory["run"]).FileOf(MountRegistry.IdOf("/mnt/held"), "holder");

    /// <summary>Has the holder handle a message and stop before it looks at its sockets again: what they get until it goes on is for one round.</summary>
    private void Halt()
    {
        _clock.Halt();
        _worker.Send(Serving());
        long passed = 0;
        Assert.True(SpinWait.SpinUntil(IsHandled, Patience), "the holder does not come round");

        bool IsHandled()
        {
            long at = _clock.HaltedAt;
            if (at == passed)
            {
                return false;
            }

            // A holder that is halted writes nothing.
            if (_log.ToString().Contains(" serves ", StringComparison.Ordinal))
            {
                return true;
            }

            // It was on its way to its sockets.
            passed = at;
            _clock.LetPass(at);
            return false;
        }
    }

    private static MessageWriter Serving() => new MessageWriter(MessageKind.Serving).Blob([1]).Number(0);

    /// <summary>A program that waits to be told to end, and tells when its socket is closed.</summary>
    private string WorkerThatLetsGoOfItsHolder()
    {
        string path = _directory["worker"];
        File.WriteAllText(
            path,
            $"""
            #!/bin/sh
            mkfifo '{_directory["end"]}'
            : > '{_directory["begun"]}'
            timeout 30 cat '{_directory["end"]}'
            exec {ProcessSpawner.SocketDescriptor}<&-
            : > '{_directory["ended"]}'

            """);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    /// <summary>Asynchronously it would take a descriptor of its own.</summary>
    private static void Connect(Socket socket, UnixDomainSocketEndPoint place) => socket.Connect(place);

    private string[] Files()
        => Directory.Exists(_directory["run"]) ? [.. Directory.GetFiles(_directory["run"]).Select(static file => Path.GetExtension(file)).Where(static kind => kind != ".new").Order(StringComparer.Ordinal)] : [];

    private Task<int> Adopt()
    {
        Describe();
        return Task.Factory.StartNew(
            () =>
            {
                using Holder holder = new(_kernel, _clock, _log);
                return holder.Run(_holdersEnd);
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private void Describe()
    {
        using SafeFileHandle memory = SharedMemory.Create(4096);
        using SafeFileHandle device = File.OpenHandle("/dev/null");
        MessageWriter adopt = new(MessageKind.Adopt);
        Description.Write(adopt);

        // A process that cannot be: the holder may kill its worker.
        adopt.Blob([1]).Number(0).Number(int.MaxValue).Text("test");
        Assert.True(_worker.Send(adopt, memory, device));
    }

    private Task ReadAsync(MessageKind kind) => Task.Run(() =>
    {
        using ReceivedMessage? message = _worker.Receive();
        Assert.Equal(kind, message!.Read().Kind);
    }).WaitAsync(Patience);

    private async Task<int> EndAsync(Task<int> holder)
    {
        await Eventually.TrueAsync("the holder ends", () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return holder.IsCompleted;
        });
        return await holder;
    }

    /// <summary>The holder looks at its clock whenever its loop comes round.</summary>
    private sealed class CountingClock(TimeProvider inner) : TimeProvider
    {
        private volatile bool _halts;
        private long _haltedAt;
        private long _passed;
        private long _looks;
        private long _back;

        public long Looks => Interlocked.Read(ref _looks);

        /// <summary>Which look the holder waits in, if it was halted and has come to one; the one that was let pass last, or 0, while it is on its way.</summary>
        public long HaltedAt => Interlocked.Read(ref _haltedAt);

        public void Halt() => _halts = true;

        /// <summary>It goes on to its next look.</summary>
        public void LetPass(long look) => Interlocked.Exchange(ref _passed, look);

        public void GoOn() => _halts = false;

        /// <summary>Moments that were laid down before come that much later.</summary>
        public void PutBack(TimeSpan time) => Interlocked.Add(ref _back, (long)(time.TotalSeconds * TimestampFrequency));

        public override long TimestampFrequency => inner.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => inner.GetUtcNow();

        public override long GetTimestamp()
        {
            long look = Interlocked.Increment(ref _looks);
            if (_halts)
            {
                Interlocked.Exchange(ref _haltedAt, look);
                SpinWait.SpinUntil(() => !_halts || Interlocked.Read(ref _passed) == look);
            }

            return inner.GetTimestamp() - Interlocked.Read(ref _back);
        }
    }

    private sealed class ScriptedKernel : IKernelMount
    {
        public static readonly MountEntry Ours = new(50, 1, 0, 60, "/mnt/held", "ro", "fuse.forebay", "pattern", "ro");
        public static readonly MountEntry Others = Ours with { Id = 51, Minor = 61 };

        private volatile IReadOnlyList<MountEntry> _mounts = [];
        private volatile bool _gone;

        public IReadOnlyList<MountEntry> Mounts { get => _mounts; set => _mounts = value; }

        public bool Gone { get => _gone; set => _gone = value; }

        public bool IsInUse { get; set; }

        public bool Refuses { get; set; }

        public List<UnmountMode> Unmounts { get; } = [];

        public SafeFileHandle Mount(MountDescription description, MountOptions options) => throw new NotSupportedException();

        public void Tune(string directory)
        {
        }

        public bool Unmount(string directory, UnmountMode mode)
        {
            if (Refuses)
            {
                throw new ForebayException(ErrorKind.AccessDenied, "It may not be unmounted.");
            }

            Unmounts.Add(mode);
            return !IsInUse || mode == UnmountMode.Lazy;
        }

        public IReadOnlyList<MountEntry> MountsAt(string directory) => Mounts;

        public bool MountsChanged() => true;

        public bool IsGone(SafeFileHandle device) => Gone;
    }
}

/// <summary>Runs after all others.</summary>
[CollectionDefinition(nameof(HolderTests), DisableParallelization = true)]
public sealed class HolderCollection;
