using System.Diagnostics;
using System.Runtime.InteropServices;
using Forebay.Testing;
using Xunit;

namespace Forebay.Fuse.Tests;

/// <summary>The life of a request: one answer, its token, its buffers, and no garbage.</summary>
public sealed class RequestTests : IDisposable
{
    private readonly ScriptedFileSystem _fileSystem = new();
    private readonly NotingObserver _observer = new();
    private readonly FakeKernel _kernel;

    public RequestTests() => _kernel = new FakeKernel(_fileSystem, null, _observer);

    [Fact]
    public void ASecondAnswerThrowsAndSendsNothing()
    {
        Exception? second = null;
        _fileSystem.OnGetAttr = request =>
        {
            request.ReplyError(Errno.ENOENT);
            second = Record.Exception(() => request.ReplyEmpty());
        };

        FuseAnswer answer = _kernel.Ask<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);

        Assert.Equal(Errno.ENOENT, answer.Errno);
        Assert.IsType<InvalidOperationException>(second);
    }

    [Fact]
    public void AnAnswerThatComesAfterTheEndDoesNotReachTheNextRequest()
    {
        FuseRequest kept = default;
        _fileSystem.OnGetAttr = request =>
        {
            kept = request;
            request.ReplyEmpty();
        };
        _kernel.Ask<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);
        FuseRequest stale = kept;
        _fileSystem.OnGetAttr = request => kept = request;
        Task<FuseAnswer> next = _kernel.Begin<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);

        Assert.Throws<InvalidOperationException>(() => stale.ReplyError(Errno.EIO));
        Assert.Throws<InvalidOperationException>(() => stale.NodeId);
        Assert.False(next.IsCompleted);
        kept.ReplyEmpty();
        Assert.True(next.IsCompleted);
    }

    [Fact]
    public async Task ManyThreadsThatAnswerAtOnceGiveOneAnswer()
    {
        for (int round = 0; round < 200; round++)
        {
            FuseRequest kept = default;
            _fileSystem.OnGetAttr = request => kept = request;
            Task<FuseAnswer> answer = _kernel.Begin<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);
            int refused = 0;

            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
            {
                try
                {
                    kept.ReplyEmpty();
                }
                catch (InvalidOperationException)
                {
                    Interlocked.Increment(ref refused);
                }
            })));

            Assert.Equal(3, refused);
            Assert.True(answer.IsCompletedSuccessfully);
            Assert.Equal(0, _kernel.Dispatcher.OpenRequests);
        }
    }

    [Fact]
    public void AHandlerThatThrowsIsAnsweredWithAnErrorAndReported()
    {
        _fileSystem.OnGetAttr = _ => throw new InvalidDataException("broken");

        FuseAnswer answer = _kernel.Ask<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);

        Assert.Equal(Errno.EIO, answer.Errno);
        FuseFault fault = Assert.Single(_observer.Faults);
        Assert.Equal(FuseFaultKind.Handler, fault.Kind);
        Assert.Contains("GETATTR", fault.What, StringComparison.Ordinal);
        _fileSystem.OnGetAttr = null;
        Assert.Equal(0, _kernel.Ask<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default).Errno);
    }

    [Fact]
    public async Task AnInterruptCancelsTheTokenOfItsRequestOnly()
    {
        List<FuseRequest> open = [];
        _fileSystem.OnGetAttr = open.Add;
        Task<FuseAnswer> first = _kernel.Begin<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);
        Task<FuseAnswer> second = _kernel.Begin<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);
        CancellationToken token = open[1].Token;
        TaskCompletionSource canceled = new();
        await using CancellationTokenRegistration registration = token.Register(canceled.SetResult);

        _kernel.InterruptLast();

        await canceled.Task.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.True(open[1].IsInterrupted);
        Assert.False(open[0].IsInterrupted);
        Assert.False(open[0].Token.IsCancellationRequested);
        open[1].ReplyError(Errno.EINTR);
        open[0].ReplyEmpty();
        Assert.Equal(Errno.EINTR, (await second).Errno);
        Assert.Equal(0, (await first).Errno);
    }

    [Fact]
    public void AnInterruptThatComesBeforeItsRequestIsNotLost()
    {
        bool seen = false;
        _fileSystem.OnGetAttr = request =>
        {
            seen = request.IsInterrupted && request.Token.IsCancellationRequested;
            request.ReplyError(Errno.EINTR);
        };

        _kernel.Dispatcher.Dispatch(FakeKernel.Message(FuseOpcode.Interrupt, 0, 0, FakeKernel.Bytes(1000UL)));
        _kernel.Dispatcher.Dispatch(FakeKernel.Message(FuseOpcode.GetAttr, 1000, 1, new byte[16]));

        Assert.True(seen);
    }

    [Fact]
    public void ARepeatedRequestSaysSoAndIsAnsweredUnderTheSameId()
    {
        bool repeated = false;
        _fileSystem.OnGetAttr = request =>
        {
            repeated = request.IsRepeated;
            request.ReplyEmpty();
        };

        Task<FuseAnswer> answer = _kernel.Begin<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default, isRepeated: true);

        Assert.True(repeated);
        Assert.True(answer.IsCompletedSuccessfully);
        Assert.True(_observer.Completions[^1].IsRepeated);
    }

    [Theory]
    [InlineData(0U, 0, 8)]
    [InlineData(4U, Errno.ERANGE, 0)]
    [InlineData(5U, 0, 5)]
    [InlineData(64U, 0, 5)]
    public void AnExtendedAttributeTellsItsLengthOrFitsOrIsRefused(uint room, int errno, int bytes)
    {
        _fileSystem.OnXattr = static (request, size) => request.ReplyXattr("value"u8, size);

        FuseAnswer answer = _kernel.Ask(FuseOpcode.GetXattr, 1, (ReadOnlySpan<byte>)[.. FakeKernel.Bytes(room), 0, 0, 0, 0, .. FakeKernel.Name("user.a")]);

        Assert.Equal(errno, answer.Errno);
        Assert.Equal(bytes, answer.Body.Length);
        if (room == 0)
        {
            Assert.Equal(5, BitConverter.ToInt32(answer.Body));
        }
    }

    [Fact]
    public void ForgetAndItsBatchComeAsSpans()
    {
        _kernel.Tell(FuseOpcode.Forget, 9, 3UL);
        _kernel.Dispatcher.Dispatch(FakeKernel.Message(FuseOpcode.BatchForget, 0, 0, (ReadOnlySpan<byte>)[.. FakeKernel.Bytes(2UL), .. FakeKernel.Bytes(5UL), .. FakeKernel.Bytes(1UL), .. FakeKernel.Bytes(6UL), .. FakeKernel.Bytes(2UL)]));

        Assert.Equal([(9UL, 3UL), (5UL, 1UL), (6UL, 2UL)], _fileSystem.Forgotten.Select(static one => (one.NodeId, one.Lookups)));
        Assert.DoesNotContain(_observer.Completions, static completion => completion.Opcode is FuseOpcode.Forget or FuseOpcode.BatchForget);
    }

    [Fact]
    public void AFileRangeIsAnsweredWholeOrNotAtAll()
    {
        using TempDirectory directory = new();
        File.WriteAllBytes(directory["file"], [.. Enumerable.Range(0, 200).Select(static i => (byte)i)]);
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(directory["file"]);
        int refused = -1;
        _fileSystem.OnRead = (request, arguments) =>
        {
            refused = request.TryReplyFile(file, (long)arguments.Offset, (int)arguments.Size);
            if (refused != 0)
            {
                request.ReplyError(Errno.EIO);
            }
        };

        FuseAnswer inside = _kernel.Ask(FuseOpcode.Read, 2, new FuseReadIn { Offset = 50, Size = 100 });
        Assert.Equal(Enumerable.Range(50, 100).Select(static i => (byte)i), inside.Body);
        FuseAnswer beyond = _kernel.Ask(FuseOpcode.Read, 2, new FuseReadIn { Offset = 150, Size = 100 });

        Assert.Equal(Errno.EIO, beyond.Errno);
        Assert.Equal(Errno.EIO, refused);
        Assert.Equal(0, _kernel.Dispatcher.OutstandingBuffers);
    }

    [Fact]
    public void ADirectoryIsPackedUntilTheRoomIsFull()
    {
        List<bool> added = [];
        _fileSystem.OnRead = (request, arguments) =>
        {
            FuseDirectoryWriter writer = request.StartDirectory(arguments.Size);
            added.Add(writer.TryAddPlus("a"u8, new FuseEntryOut { NodeId = 5, Attr = new FuseAttr { Inode = 50, Mode = FuseMode.File | 0x1A4 } }, 1));
            added.Add(writer.TryAddPlus("long-name"u8, new FuseEntryOut { NodeId = 6, Attr = new FuseAttr { Inode = 60, Mode = FuseMode.Directory } }, 2));
            added.Add(writer.TryAdd("c"u8, 70, FuseMode.File, 3));
            writer.Reply();
        };

        // The first entry takes 128 + 24 + 8 bytes, the second 128 + 24 + 16.
        IReadOnlyList<FuseName> names = _kernel.Ask(FuseOpcode.Read, 1, new FuseReadIn { Size = 160 + 168 }).NamesPlus();

        Assert.Equal([true, true, false], added);
        Assert.Equal([("a", 50UL, 1UL, 8U, 5UL), ("long-name", 60UL, 2UL, 4U, 6UL)], names.Select(static name => (name.Name, name.Inode, name.NextCookie, name.Type, name.Entry.NodeId)));
        Assert.Equal(0, _kernel.Dispatcher.OutstandingBuffers);
    }

    [Fact]
    public void ABufferGivenBackTwiceIsABug()
    {
        _fileSystem.OnRead = static (request, _) =>
        {
            FuseReplyBuffer buffer = request.RentBuffer();
            buffer.Return();
            Assert.Throws<InvalidOperationException>(buffer.Return);
            request.ReplyEmpty();
        };

        Assert.Equal(0, _kernel.Ask<FuseReadIn>(FuseOpcode.Read, 2, default).Errno);
    }

    [Fact]
    public void ServingAllocatesNothing()
    {
        using TempDirectory directory = new();
        File.WriteAllBytes(directory["file"], new byte[8192]);
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(directory["file"]);
        CountingSink sink = new();
        using FuseDispatcher dispatcher = new(new QuietFileSystem(file), new FuseConnectionOptions(), null, sink, null);
        dispatcher.Dispatch(Captured.Init);
        byte[][] messages = [Captured.Of(FuseOpcode.Read), Captured.Of(FuseOpcode.GetAttr), Captured.Of(FuseOpcode.GetXattr), Captured.Of(FuseOpcode.Lookup), Captured.Of(FuseOpcode.Release), Captured.Of(FuseOpcode.StatFs)];
        for (int i = 0; i < 1000; i++)
        {
            dispatcher.Dispatch(messages[i % messages.Length]);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 6000; i++)
        {
            dispatcher.Dispatch(messages[i % messages.Length]);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(7001, sink.Count);
        Assert.True(dispatcher.Statistics[FuseOpcode.Read].ReplyBytes >= 8192 * 1000);
    }

    [Fact]
    public void CountsAndTimesAreKeptByOperation()
    {
        _fileSystem.OnGetAttr = static request => request.ReplyError(Errno.ESTALE);

        _kernel.Ask<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);
        _kernel.Ask(FuseOpcode.StatFs, 1);

        FuseOperationStatistics asked = _kernel.Dispatcher.Statistics[FuseOpcode.GetAttr];
        Assert.Equal((1L, 1L), (asked.Count, asked.Errors));
        Assert.Equal(1, asked.Buckets.Sum());
        Assert.Equal(80, _kernel.Dispatcher.Statistics[FuseOpcode.StatFs].ReplyBytes);
    }

    [Fact]
    public void ARequestThatComesForwardWaitsFromThenOnAndItsTimeGoesOn()
    {
        FuseRequest kept = default;
        _fileSystem.OnGetAttr = request => kept = request;
        Task<FuseAnswer> answer = _kernel.Begin<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);
        TimeSpan before = TimeSpan.FromMilliseconds(100);
        Assert.True(SpinWait.SpinUntil(() => _kernel.Dispatcher.LongestWait >= before, TimeSpan.FromSeconds(30)), "no wait is seen");

        long renewed = Stopwatch.GetTimestamp();
        kept.Renew();

        Assert.InRange(_kernel.Dispatcher.LongestWait, TimeSpan.Zero, Stopwatch.GetElapsedTime(renewed));
        kept.ReplyEmpty();
        Assert.True(answer.IsCompletedSuccessfully);
        Assert.True(_observer.Completions[^1].Elapsed >= before, "its time began anew, too");
        Assert.Equal(TimeSpan.Zero, _kernel.Dispatcher.LongestWait);
        Assert.Throws<InvalidOperationException>(kept.Renew);
    }

    [Fact]
    public void WhatIsNotedAboutARequestReachesTheObserverAndNotTheNextRequest()
    {
        FuseRequestNote note = new("name", 1, 2, "here", Errno.ENOENT);
        bool isFirst = true;
        _fileSystem.OnGetAttr = request =>
        {
            if (isFirst)
            {
                request.Note(note);
            }

            isFirst = false;
            request.ReplyError(Errno.ESTALE);
        };
        Noting observer = new();
        _kernel.Dispatcher.Observer = observer;

        _kernel.Ask<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);
        _kernel.Ask<FuseGetAttrIn>(FuseOpcode.GetAttr, 1, default);

        Assert.Equal([note, default], observer.Notes);
    }

    public void Dispose() => _kernel.Dispose();

    private sealed class Noting : FuseObserver
    {
        internal List<FuseRequestNote> Notes { get; } = [];

        public override void Completed(in FuseCompletion completion) => Notes.Add(completion.Note);
    }

    private sealed class QuietFileSystem(Microsoft.Win32.SafeHandles.SafeFileHandle file) : FuseFileSystem
    {
        public override void GetAttr(FuseRequest request, in FuseGetAttrIn arguments) => request.ReplyAttr(default);

        public override void Read(FuseRequest request, in FuseReadIn arguments) => _ = request.TryReplyFile(file, 0, 8192);

        public override void GetXattr(FuseRequest request, ReadOnlySpan<byte> name, uint size) => request.ReplyXattr("value"u8, size);
    }

    private sealed class CountingSink : IFuseReplySink
    {
        internal int Count { get; private set; }

        public int Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> body)
        {
            Count++;
            return 0;
        }
    }
}
